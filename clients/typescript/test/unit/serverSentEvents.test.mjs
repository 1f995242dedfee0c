import assert from 'node:assert/strict'
import test from 'node:test'
import { eventsOf } from '../../dist/live/serverSentEvents.js'

const TEXT = ': alive\n\nevent: next\ndata: {"name":"Zoë"}\n\nevent: next\ndata: one\ndata: two\n\nevent: comp'

/** Reads the events of a body that comes in pieces of `size` bytes. */
async function read(size) {
  const bytes = new TextEncoder().encode(TEXT)
  const body = new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size))
      controller.close()
    },
  })
  const events = []
  for await (const event of eventsOf(body)) events.push(event)
  return events
}

test('events are the same wherever the body is divided, and an incomplete one is left out', async () => {
  const expected = [
    { name: '', data: '' },
    { name: 'next', data: '{"name":"Zoë"}' },
    { name: 'next', data: 'one\ntwo' },
  ]
  for (const size of [1, 2, 3, 7, 1000]) assert.deepEqual(await read(size), expected)
})
