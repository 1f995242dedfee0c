import type { LeaderboardClient } from '../client.js'
import type { Document } from '../requests/document.js'
import { send } from '../requests/send.js'
import type { Connection } from './connection.js'
import { pollingTransport } from './polling.js'
import { socketTransport } from './socket.js'
import { streamTransport } from './stream.js'
import type { Transport } from './transport.js'
import { TransportFallback } from './transportFallback.js'

/** A value that a subscription delivers and, for where nothing may stay open, a query reads. */
export interface Source<T, Data, Variables, PolledData = unknown> {
  subscription: Document<Data, Variables>
  variables: Variables
  /** Takes the value out of a result of the subscription. */
  value: (data: Data) => T
  /** The query for polling. Without it nothing is polled. */
  polling?: {
    query: Document<PolledData, Variables>
    /** Takes the value out of a result of the query. */
    value: (data: PolledData) => T
  }
  /** Whether `next` is older than `current` and must be ignored: answers may overtake each other. */
  isOlder?: (next: T, current: T) => boolean
}

/** What is called when something changes. */
export interface Observer<T> {
  next?: (value: T) => void
  connection?: (connection: Connection) => void
}

/** The newest value, and how it is kept current. The object is replaced with every change. */
export interface WatchState<T> {
  /** Null before the first value. It stays when the connection is lost. */
  readonly value: T | null
  readonly connection: Connection
}

/** A value that is kept current until it is closed. */
export interface Watch<T> {
  readonly state: WatchState<T>
  /** Call `listener` after every change of `state`, until the returned function is called. */
  subscribe(listener: () => void): () => void
  /** Connect anew at once, for example when the user asks for it after `stopped`. */
  reconnect(): void
  close(): void
}

/**
 * Keep the value of a subscription current: over a WebSocket, else as server-sent events, else by polling. It
 * reconnects by itself, returns to the WebSocket when that works again, and asks for a new access token when the old one
 * has expired.
 */
export function watch<T, Data, Variables extends Record<string, unknown>, PolledData = unknown>(
  client: LeaderboardClient,
  source: Source<T, Data, Variables, PolledData>,
  observer: Observer<T> | ((value: T) => void) = {},
): Watch<T> {
  const { next, connection: onConnection } = typeof observer === 'function' ? { next: observer } : observer
  const listeners = new Set<() => void>()
  let state: WatchState<T> = { value: null, connection: { state: 'connecting' } }
  let isClosed = false

  const change = (changed: Partial<WatchState<T>>) => {
    state = { ...state, ...changed }
    for (const listener of [...listeners]) listener()
  }
  const receive = (value: T) => {
    if (isClosed || (state.value !== null && source.isOlder?.(value, state.value) === true)) return
    change({ value })
    next?.(value)
  }
  const report = (connection: Connection) => {
    if (isClosed || isSame(connection, state.connection)) return
    change({ connection })
    onConnection?.(connection)
  }
  const fallback = new TransportFallback(client, transportsOf(client, source), receive, report)
  return {
    get state() {
      return state
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    reconnect() {
      if (!isClosed) fallback.reconnect()
    },
    close() {
      if (isClosed) return
      fallback.close()
      report({ state: 'closed' })
      isClosed = true
    },
  }
}

function transportsOf<T, Data, Variables extends Record<string, unknown>, PolledData>(
  client: LeaderboardClient,
  { subscription, variables, value, polling }: Source<T, Data, Variables, PolledData>,
): Transport<T>[] {
  const transports = [mapped(streamTransport(client, subscription, variables), value)]
  if (client.webSocket !== null) transports.unshift(mapped(socketTransport(client, subscription, variables), value))
  if (polling !== undefined) {
    const { query: document } = polling
    transports.push(
      pollingTransport(async (token, signal) =>
        polling.value(await send(client, { document, variables, token, signal, method: 'GET' })),
      ),
    )
  }
  return transports
}

/** The same transport with another value made of what comes. */
function mapped<A, B>(transport: Transport<A>, map: (value: A) => B): Transport<B> {
  return {
    name: transport.name,
    timeout: transport.timeout,
    open: (sink, token) =>
      transport.open(
        { next: (value) => sink.next(map(value)), lost: (failure, refused) => sink.lost(failure, refused) },
        token,
      ),
  }
}

function isSame(one: Connection, other: Connection): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
