import type { LeaderboardClient } from '../client.js'
import type { Document } from '../requests/document.js'
import { type Failure, failureOfErrors, LeaderboardError, NETWORK } from '../requests/failure.js'
import { authorization, type Result, resultOf } from '../requests/send.js'
import { eventsOf } from './serverSentEvents.js'
import type { Sink, Transport } from './transport.js'

const FIRST_VALUE_MS = 8_000
// The service sends a comment every 12 seconds.
const MAX_SILENCE_MS = 30_000

/** A subscription as server-sent events over POST, for where sockets are blocked. */
export function streamTransport<Data>(
  client: LeaderboardClient,
  query: Document<Data, never>,
  variables: Record<string, unknown>,
): Transport<Data> {
  return {
    name: 'sse',
    timeout: FIRST_VALUE_MS,
    open(sink, token) {
      const abort = new AbortController()
      const request = client.fetch(client.url, {
        method: 'POST',
        headers: { accept: 'text/event-stream', 'content-type': 'application/json', ...authorization(token) },
        body: JSON.stringify({ query, variables }),
        cache: 'no-store',
        signal: abort.signal,
      })
      request
        .then((response) => consume(response, sink))
        .catch((error: unknown) => (error instanceof LeaderboardError ? error.failure : NETWORK))
        .then((failure) => sink.lost(failure, token))
      return () => abort.abort()
    },
  }
}

/** Deliver what comes until it ends, and return why it ended. */
async function consume<Data>(response: Response, sink: Sink<Data>): Promise<Failure> {
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false
  if (!isStream || response.body === null) return failureOfErrors((await resultOf(response)).errors ?? [])
  let silence: ReturnType<typeof setTimeout> | undefined
  const restart = () => {
    clearTimeout(silence)
    silence = setTimeout(() => sink.lost(NETWORK), MAX_SILENCE_MS)
  }
  restart()
  try {
    for await (const { name, data } of eventsOf(response.body)) {
      restart()
      if (name !== 'next') continue
      const result = JSON.parse(data) as Result<Data>
      if (result.errors !== undefined && result.errors.length > 0) return failureOfErrors(result.errors)
      if (result.data != null) sink.next(result.data)
    }
    return NETWORK
  } finally {
    clearTimeout(silence)
  }
}
