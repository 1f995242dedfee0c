import assert from 'node:assert/strict'
import test from 'node:test'
import { execute, LeaderboardClient, LeaderboardError } from '../../dist/index.js'

const JSON_TYPE = { 'content-type': 'application/graphql-response+json' }
const answer =
  (body, status = 200, headers = JSON_TYPE) =>
  () =>
    new Response(JSON.stringify(body), { status, headers })
const refusal = (code, more, status) => answer({ errors: [{ message: 'no', extensions: { code, ...more } }] }, status)
const page = (status) => () => new Response('<html>Bad Gateway</html>', { status })
const lost = () => {
  throw new TypeError('fetch failed')
}

/** A client whose requests are answered by `answers` in turn, and the access tokens that they were sent with. */
function answering(...answers) {
  const sent = []
  const client = new LeaderboardClient({
    url: 'http://service/graphql',
    accessToken: (refused) => (refused === null ? 'old' : 'new'),
    maxRetryAfter: 1,
    fetch: async (_, { headers }) => {
      sent.push(headers.authorization)
      return answers[sent.length - 1]()
    },
  })
  return { client, sent }
}

const failureOf = (promise) =>
  promise.then(
    () => assert.fail('it succeeded'),
    (error) => {
      assert.ok(error instanceof LeaderboardError)
      return error.failure
    },
  )

test('a query is repeated when its answer was lost or came from a proxy', async () => {
  const { client, sent } = answering(lost, page(502), answer({ data: { a: 1 } }))
  assert.deepEqual(await execute(client, '{ a }', {}), { a: 1 })
  assert.equal(sent.length, 3)
})

test('a mutation is not repeated when its answer was lost, unless it is said to be repeatable', async () => {
  const once = answering(lost, answer({ data: { a: 1 } }))
  assert.deepEqual(await failureOf(execute(once.client, 'mutation { a }', {})), { kind: 'network' })
  const twice = answering(lost, answer({ data: { a: 1 } }))
  assert.deepEqual(await execute(twice.client, 'mutation { a }', {}, { repeatable: true }), { a: 1 })
})

test('a mutation that was refused for a while is repeated', async () => {
  const { client } = answering(refusal('RATE_LIMITED', { retryAfter: 0 }, 429), answer({ data: { a: 1 } }))
  assert.deepEqual(await execute(client, 'mutation { a }', {}), { a: 1 })
})

test('a longer wait than allowed is left to the caller', async () => {
  const { client, sent } = answering(refusal('RATE_LIMITED', { retryAfter: 2 }, 429))
  assert.deepEqual(await failureOf(execute(client, '{ a }', {})), { kind: 'rate-limited', retryAfter: 2 })
  assert.equal(sent.length, 1)
})

test('the number of attempts is bounded', async () => {
  const { client, sent } = answering(lost, lost, lost)
  assert.deepEqual(await failureOf(execute(client, '{ a }', {}, { maxAttempts: 2 })), { kind: 'network' })
  assert.equal(sent.length, 2)
})

test('a refused access token is replaced once', async () => {
  const expired = refusal('UNAUTHENTICATED', { reason: 'TOKEN_EXPIRED' }, 401)
  const renewed = answering(expired, answer({ data: { a: 1 } }))
  assert.deepEqual(await execute(renewed.client, 'mutation { a }', {}), { a: 1 })
  assert.deepEqual(renewed.sent, ['Bearer old', 'Bearer new'])
  const refused = answering(expired, expired)
  assert.deepEqual(await failureOf(execute(refused.client, '{ a }', {})), { kind: 'unauthenticated', expired: true })
})

test('a request that cannot succeed is not repeated', async () => {
  const { client, sent } = answering(refusal('BAD_USER_INPUT', {}, 400))
  assert.deepEqual(await failureOf(execute(client, '{ a }', {})), {
    kind: 'rejected',
    code: 'BAD_USER_INPUT',
    message: 'no',
  })
  assert.equal(sent.length, 1)
})

test('an aborted request ends with the reason of the signal', async () => {
  const abort = new AbortController()
  const { client } = answering(() => abort.abort(new Error('left')) ?? lost())
  await assert.rejects(execute(client, '{ a }', {}, { signal: abort.signal }), /left/)
})

test('an access token that does not come in time is a failure of the network', async () => {
  const client = new LeaderboardClient({
    url: 'http://service/graphql',
    accessToken: () => new Promise(() => {}),
    requestTimeout: 1,
  })
  assert.deepEqual(await failureOf(execute(client, '{ a }', {}, { maxAttempts: 1 })), { kind: 'network' })
})
