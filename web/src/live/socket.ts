import { createClient, type Client, type FormattedExecutionResult } from 'graphql-ws'
import { problemOf, problemOfErrors } from '../api/problem'
import type { Transport } from './transport'

const PING_EVERY = 10_000
const PONG_WITHIN = 5_000

/** The one socket of the page. `TransportFallback` retries. It pings, because a dead connection says nothing. */
export function createSocket(authorization: () => string | null): Client {
  let deadline: ReturnType<typeof setTimeout> | undefined
  const client: Client = createClient({
    url: `${location.origin.replace(/^http/, 'ws')}/graphql`,
    connectionParams: () => {
      const value = authorization()
      return value === null ? {} : { authorization: value }
    },
    retryAttempts: 0,
    // Going from board to board keeps the socket.
    lazyCloseTimeout: 3_000,
    keepAlive: PING_EVERY,
    onNonLazyError: () => {},
    on: {
      ping: (received) => {
        if (!received) deadline = setTimeout(() => client.terminate(), PONG_WITHIN)
      },
      pong: (received) => {
        if (received) clearTimeout(deadline)
      },
      closed: () => clearTimeout(deadline),
    },
  })
  return client
}

/** A subscription over `graphql-transport-ws`. */
export function socketTransport<T>(client: Client, query: string, variables: Record<string, unknown>): Transport<T> {
  return {
    name: 'socket',
    timeout: 4_000,
    open(sink) {
      return client.subscribe<T>(
        { query, variables },
        {
          next: (result: FormattedExecutionResult<T, unknown>) => {
            if (result.errors !== undefined && result.errors.length > 0) sink.lost(problemOfErrors(result.errors))
            else if (result.data != null) sink.next(result.data)
          },
          error: (error) => sink.lost(problemOf(error)),
          complete: () => sink.lost({ kind: 'network' }),
        },
      )
    },
  }
}
