import assert from 'node:assert/strict'
import test from 'node:test'
import { LeaderboardClient } from '../../dist/index.js'
import { TransportFallback } from '../../dist/live/transportFallback.js'

/** A transport that the test controls: `sinks` has one sink for each time it was opened. */
function transport(name) {
  const made = { name, timeout: 1000, sinks: [], closed: 0 }
  made.open = (sink) => {
    made.sinks.push(sink)
    return () => made.closed++
  }
  return made
}

/** Starts with transports of these names, in simulated time; `settle` lets everything happen that is due. */
async function start(t, ...names) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  const transports = names.map(transport)
  const values = []
  const states = []
  const client = new LeaderboardClient({ url: 'http://service/graphql', accessToken: () => 'token' })
  const fallback = new TransportFallback(
    client,
    transports,
    (value) => values.push(value),
    (connection) => states.push(connection),
  )
  t.after(() => fallback.close())
  const settle = async (milliseconds = 0) => {
    for (let round = 0; round < 20; round++) await Promise.resolve()
    t.mock.timers.tick(milliseconds)
    for (let round = 0; round < 20; round++) await Promise.resolve()
  }
  await settle()
  return { transports, values, states, fallback, settle, client }
}

const NETWORK = { kind: 'network' }

test('a transport that never worked is left for the next one', async (t) => {
  const { transports, settle, values, states } = await start(t, 'websocket', 'sse', 'polling')
  transports[0].sinks[0].lost(NETWORK)
  await settle()
  assert.equal(transports[1].sinks.length, 1)
  await settle(1000)
  assert.equal(transports[1].closed, 1)
  transports[2].sinks[0].next('board')
  assert.deepEqual(values, ['board'])
  assert.deepEqual(states.at(-1), { state: 'live', transport: 'polling' })
})

test('a transport that has worked is tried again after it was lost', async (t) => {
  const { transports, settle, states } = await start(t, 'websocket', 'sse')
  transports[0].sinks[0].next('board')
  transports[0].sinks[0].lost(NETWORK)
  assert.equal(states.at(-1).state, 'reconnecting')
  await settle(500)
  assert.equal(transports[0].sinks.length, 2)
  assert.equal(transports[1].sinks.length, 0)
})

test('when every transport has failed, all are tried again, with waits in between', async (t) => {
  const { transports, settle } = await start(t, 'websocket')
  for (let round = 1; round <= 8; round++) {
    assert.equal(transports[0].sinks.length, round)
    transports[0].sinks.at(-1).lost(NETWORK)
    await settle(249)
    assert.equal(transports[0].sinks.length, round)
    await settle(10_000)
  }
})

test('it returns to the first transport when that works again, and values of the other one do not count any more', async (t) => {
  const { transports, settle, values, states } = await start(t, 'websocket', 'sse')
  const [socket, stream] = transports
  socket.sinks[0].lost(NETWORK)
  await settle()
  stream.sinks[0].next('old')
  await settle(45_000)
  socket.sinks[1].lost(NETWORK)
  stream.sinks[0].next('still served')
  await settle(45_000)
  socket.sinks[2].next('new')
  stream.sinks[0].next('late')
  assert.deepEqual(values, ['old', 'still served', 'new'])
  assert.equal(stream.closed, 1)
  assert.deepEqual(states.at(-1), { state: 'live', transport: 'websocket' })
})

test('a wait that the service has asked for is kept', async (t) => {
  const { transports, settle, states } = await start(t, 'websocket')
  transports[0].sinks[0].lost({ kind: 'rate-limited', retryAfter: 7 })
  assert.equal(states.at(-1).state, 'waiting')
  await settle(6999)
  assert.equal(transports[0].sinks.length, 1)
  await settle(501)
  assert.equal(transports[0].sinks.length, 2)
})

test('it stops when the socket was displaced, until the user asks for it', async (t) => {
  const { transports, settle, states, fallback } = await start(t, 'websocket', 'sse')
  transports[0].sinks[0].next('board')
  transports[0].sinks[0].lost({ kind: 'displaced' })
  await settle(600_000)
  assert.deepEqual(states.at(-1), { state: 'stopped', failure: { kind: 'displaced' } })
  assert.equal(transports[0].sinks.length, 1)
  fallback.reconnect()
  await settle()
  assert.equal(transports[0].sinks.length, 2)
})

test('it stops when the refused access token has no successor', async (t) => {
  const { transports, settle, states } = await start(t, 'websocket', 'sse')
  const failure = { kind: 'unauthenticated', expired: true }
  transports[0].sinks[0].lost(failure, 'token')
  await settle()
  assert.deepEqual(states.at(-1), { state: 'stopped', failure })
})

test('a change of the sign-in opens a new connection', async (t) => {
  const { transports, settle, client } = await start(t, 'websocket')
  transports[0].sinks[0].next('board')
  client.signInChanged()
  await settle()
  assert.equal(transports[0].closed, 1)
  assert.equal(transports[0].sinks.length, 2)
})

test('after it was closed nothing is opened any more', async (t) => {
  const { transports, settle, fallback } = await start(t, 'websocket')
  transports[0].sinks[0].lost(NETWORK)
  fallback.close()
  await settle(600_000)
  assert.equal(transports[0].sinks.length, 1)
})
