import type { ApolloClient } from '@apollo/client'
import type { Client as SocketClient } from 'graphql-ws'
import { Store } from '../api/store'
import type { BoardFragment } from '../generated/graphql'
import type { Session } from '../session/session'
import type { Connection } from './connection'
import { TransportFallback } from './transportFallback'
import { pollingTransport } from './polling'
import { mapped } from './transport'
import { socketTransport } from './socket'
import { streamTransport } from './stream'
import type { View } from './view'

/** The long-lived things a feed works with. */
export interface Clients {
  apollo: ApolloClient
  socket: SocketClient
  session: Session
}

interface Update {
  leaderboardUpdates: { leaderboard: BoardFragment }
}

const boardOf = ({ leaderboardUpdates }: Update) => leaderboardUpdates.leaderboard

/**
 * Keeps one view of a board current: over a socket, else as a stream of events, else by asking. It never goes back,
 * in whatever order the answers of different transports arrive.
 */
export class Feed {
  readonly board = new Store<BoardFragment | null>(null)
  /** Since when the board has been stale, in milliseconds since 1970; null while it is not. */
  readonly staleSince = new Store<number | null>(null)
  readonly connection = new Store<Connection>({ state: 'connecting' })
  readonly #fallback: TransportFallback<BoardFragment>
  readonly #read: () => Promise<BoardFragment>
  #isOpen = false

  /** `previous` is a feed of the same view, whose board is shown until the first state arrives. */
  constructor({ apollo, socket, session }: Clients, view: View, previous: Feed | null) {
    if (previous !== null) {
      this.board.set(previous.board.get())
      this.staleSince.set(previous.staleSince.get())
    }
    this.#read = () => view.read(apollo)
    this.#fallback = new TransportFallback(
      [
        mapped(socketTransport<Update>(socket, view.query, view.variables), boardOf),
        mapped(streamTransport<Update>(session.authorization, view.query, view.variables), boardOf),
        pollingTransport(this.#read),
      ],
      this.#accept,
      (connection) => this.connection.set(connection),
      session.end,
    )
  }

  /** Starts, with one plain request beside the subscription: whichever is faster paints first. */
  open(): void {
    this.#isOpen = true
    this.#fallback.start()
    this.#read().then(
      (board) => {
        if (this.#isOpen && this.board.get() === null) this.#show(board)
      },
      // The fallback meets the same problem, and reports it.
      () => {},
    )
  }

  close(): void {
    this.#isOpen = false
    this.#fallback.stop()
  }

  readonly retry = (): void => this.#fallback.reconnectNow()

  readonly #accept = (board: BoardFragment): void => {
    const known = this.board.get()
    if (known === null || !isOlder(board, known)) this.#show(board)
  }

  #show(board: BoardFragment): void {
    this.staleSince.set(board.stale ? (this.staleSince.get() ?? Date.now()) : null)
    this.board.set(board)
  }
}

/** Versions are compared within one epoch of one board; the next window is another board. */
function isOlder(one: BoardFragment, other: BoardFragment): boolean {
  return one.epoch === other.epoch && one.endsAt === other.endsAt && one.version < other.version
}
