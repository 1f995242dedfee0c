import { type Problem, problemOfErrors } from '../api/problem'
import { eventsOf } from './events'
import type { Transport, Sink } from './transport'

// The service gives a sign of life every 12 seconds.
const SILENCE = 30_000
const NETWORK: Problem = { kind: 'network' }

interface Answer<T> {
  data?: T | null
  errors?: { message: string; extensions?: Record<string, unknown> }[]
}

/** A subscription as server-sent events over POST, for where sockets are blocked. */
export function streamTransport<T>(
  authorization: () => string | null,
  query: string,
  variables: Record<string, unknown>,
): Transport<T> {
  return {
    name: 'stream',
    timeout: 6_000,
    open(sink) {
      const abort = new AbortController()
      const value = authorization()
      const request = fetch('/graphql', {
        method: 'POST',
        headers: {
          accept: 'text/event-stream',
          'content-type': 'application/json',
          ...(value === null ? {} : { authorization: value }),
        },
        body: JSON.stringify({ query, variables }),
        signal: abort.signal,
      })
      request
        .then((answer) => consume(answer, sink))
        .then(
          (problem) => sink.lost(problem),
          () => sink.lost(NETWORK),
        )
      return () => abort.abort()
    },
  }
}

/** Passes on what comes, until it ends. Resolves with why. */
async function consume<T>(answer: Response, sink: Sink<T>): Promise<Problem> {
  if (!answer.ok || answer.body === null) return NETWORK
  let silence: ReturnType<typeof setTimeout> | undefined
  const listen = () => {
    clearTimeout(silence)
    silence = setTimeout(() => sink.lost(NETWORK), SILENCE)
  }
  listen()
  try {
    for await (const event of eventsOf(answer.body)) {
      listen()
      if (event.name !== 'next') continue
      const result = JSON.parse(event.text) as Answer<T>
      if (result.errors !== undefined && result.errors.length > 0) return problemOfErrors(result.errors)
      if (result.data != null) sink.next(result.data)
    }
    return NETWORK
  } finally {
    clearTimeout(silence)
  }
}
