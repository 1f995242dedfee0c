import assert from 'node:assert/strict'
import test from 'node:test'
import { backoff, notBefore, wait } from '../../dist/requests/backoff.js'

test('waits grow, are bounded, and differ between clients', () => {
  assert.deepEqual(
    [0, 1, 2, 9].map((failures) => backoff(failures, () => 1)),
    [500, 1000, 2000, 10_000],
  )
  assert.equal(
    backoff(2, () => 0),
    1000,
  )
})

test('a wait that the service has asked for is never shortened', () => {
  assert.equal(
    notBefore(3, () => 0),
    3000,
  )
  assert.ok(notBefore(3, () => 0.99) < 3500)
})

test('a wait ends with the reason of the signal', async () => {
  const abort = new AbortController()
  const waiting = wait(60_000, abort.signal)
  abort.abort(new Error('enough'))
  await assert.rejects(waiting, /enough/)
  await assert.rejects(wait(0, abort.signal), /enough/)
})
