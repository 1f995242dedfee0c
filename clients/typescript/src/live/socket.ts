import { type Client as SocketClient, createClient, type FormattedExecutionResult } from 'graphql-ws'
import type { LeaderboardClient } from '../client.js'
import type { Document } from '../requests/document.js'
import { type Failure, failureOfClose, failureOfErrors, type GraphQLFailure, NETWORK } from '../requests/failure.js'
import { authorization } from '../requests/send.js'
import type { Transport } from './transport.js'

const FIRST_VALUE_MS = 8_000
const ACKNOWLEDGEMENT_MS = 5_000
const PING_INTERVAL_MS = 10_000
const PONG_MS = 5_000
const IDLE_MS = 3_000

/** The one socket of a client, and the access token with which it was opened. */
interface Socket {
  client: SocketClient
  token: string | null
}

const sockets = new WeakMap<LeaderboardClient, Socket>()

/** A subscription over `graphql-transport-ws`. All subscriptions of a client share one socket. */
export function socketTransport<Data>(
  client: LeaderboardClient,
  query: Document<Data, never>,
  variables: Record<string, unknown>,
): Transport<Data> {
  return {
    name: 'websocket',
    timeout: FIRST_VALUE_MS,
    open(sink) {
      const socket = socketOf(client)
      const lost = (failure: Failure) => sink.lost(failure, socket.token)
      return socket.client.subscribe<Data>(
        { query, variables },
        {
          next({ data, errors }: FormattedExecutionResult<Data, unknown>) {
            if (errors !== undefined && errors.length > 0) lost(failureOfErrors(errors))
            else if (data != null) sink.next(data)
          },
          error: (error) => lost(failureOf(error)),
          complete: () => lost(NETWORK),
        },
      )
    },
  }
}

function socketOf(client: LeaderboardClient): Socket {
  let socket = sockets.get(client)
  if (socket === undefined) {
    socket = createSocket(client)
    sockets.set(client, socket)
    // A socket is authenticated once, when it opens.
    client.onSignInChange(socket.client.terminate)
  }
  return socket
}

/** Retrying is left to `TransportFallback`. It sends pings, because a dead connection does not report itself. */
function createSocket(client: LeaderboardClient): Socket {
  let deadline: ReturnType<typeof setTimeout> | undefined
  const url = new URL(client.url)
  url.protocol = url.protocol.replace('http', 'ws')
  const socket: Socket = {
    token: null,
    client: createClient({
      url: url.href,
      webSocketImpl: client.webSocket,
      connectionParams: async () => {
        socket.token = await client.tokens.get()
        return authorization(socket.token)
      },
      retryAttempts: 0,
      connectionAckWaitTimeout: ACKNOWLEDGEMENT_MS,
      lazyCloseTimeout: IDLE_MS,
      keepAlive: PING_INTERVAL_MS,
      on: {
        ping(received) {
          if (!received) deadline = setTimeout(() => socket.client.terminate(), PONG_MS)
        },
        pong(received) {
          if (received) clearTimeout(deadline)
        },
        closed: () => clearTimeout(deadline),
      },
    }),
  }
  return socket
}

/** The failure behind what `graphql-ws` reports: errors of the operation, or the event that closed the socket. */
function failureOf(error: unknown): Failure {
  if (Array.isArray(error)) return failureOfErrors(error as GraphQLFailure[])
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'number' ? failureOfClose(code) : NETWORK
}
