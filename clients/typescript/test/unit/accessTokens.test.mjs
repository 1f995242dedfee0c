import assert from 'node:assert/strict'
import test from 'node:test'
import { AccessTokens } from '../../dist/session/accessTokens.js'

/** Access tokens that come one after the other, and a list of what was refused when they were asked for. */
function inTurn(...tokens) {
  const asked = []
  const access = new AccessTokens((refused) => {
    asked.push(refused)
    const token = tokens[asked.length - 1]
    return token instanceof Error ? Promise.reject(token) : token
  })
  return { access, asked }
}

test('a token is asked for once, however many requests need it', async () => {
  const { access, asked } = inTurn('a', 'b')
  assert.deepEqual(await Promise.all([access.get(), access.get(), access.get()]), ['a', 'a', 'a'])
  assert.deepEqual(asked, [null])
})

test('requests whose token was refused share one new token', async () => {
  const { access, asked } = inTurn('a', 'b', 'c')
  await access.get()
  assert.deepEqual(await Promise.all([access.renew('a'), access.renew('a')]), ['b', 'b'])
  assert.equal(await access.renew('a'), 'b')
  assert.deepEqual(asked, [null, 'a'])
})

test('the same token again is no new token', async () => {
  const { access } = inTurn('a', 'a')
  await access.get()
  assert.equal(await access.renew('a'), null)
})

test('after a failure the token is asked for again', async () => {
  const { access } = inTurn(new Error('away'), 'a')
  await assert.rejects(access.get(), /away/)
  assert.equal(await access.get(), 'a')
})

test('after a change of the sign-in the token is asked for again', async () => {
  const { access, asked } = inTurn('a', 'b')
  await access.get()
  access.clear()
  assert.equal(await access.get(), 'b')
  assert.deepEqual(asked, [null, null])
})
