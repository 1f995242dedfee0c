import type { ApolloClient } from '@apollo/client'
import type { Client as SocketClient } from 'graphql-ws'
import { print } from 'graphql'
import { Store } from '../api/store'
import {
  ReadBoardDocument,
  WatchBoardDocument,
  type BoardFragment,
  type ReadBoardQueryVariables,
} from '../generated/graphql'
import type { Session } from '../session/session'
import type { Connection } from './connection'
import { Ladder } from './ladder'
import { pollingRung } from './polling'
import { mapped } from './rung'
import { socketRung } from './socket'
import { streamRung } from './stream'

/** What a feed needs to work. */
export interface Lines {
  apollo: ApolloClient
  socket: SocketClient
  session: Session
}

/**
 * Keeps one board current in Apollo's cache. It never goes back: `(epoch, version)` decides, whatever order the
 * answers of different transports arrive in.
 */
export class BoardFeed {
  readonly connection = new Store<Connection>({ state: 'connecting' })
  readonly #ladder: Ladder<BoardFragment>
  #isFed = false

  constructor(
    private readonly lines: Lines,
    private readonly variables: ReadBoardQueryVariables,
  ) {
    const { apollo, socket, session } = lines
    const query = print(apollo.cache.transformDocument(WatchBoardDocument))
    const board = ({ leaderboardUpdates }: { leaderboardUpdates: { leaderboard: BoardFragment } }) =>
      leaderboardUpdates.leaderboard
    this.#ladder = new Ladder(
      [
        mapped(socketRung(socket, query, variables), board),
        mapped(streamRung(session.authorization, query, variables), board),
        pollingRung(this.#read),
      ],
      this.#accept,
      (connection) => this.connection.set(connection),
      session.expire,
    )
  }

  /** Starts, with one plain request beside the subscription: whichever is faster paints first. */
  open(): void {
    this.#ladder.start()
    this.#read().then(
      (board) => {
        if (!this.#isFed) this.#accept(board)
      },
      () => {},
    )
  }

  close(): void {
    this.#ladder.stop()
    this.#isFed = true
  }

  readonly retry = (): void => this.#ladder.hurry()

  readonly #read = async (): Promise<BoardFragment> => {
    const { data } = await this.lines.apollo.query({
      query: ReadBoardDocument,
      variables: this.variables,
      fetchPolicy: 'no-cache',
      context: { fetchOptions: { method: 'GET' } },
    })
    if (data === undefined) throw new Error('an answer without data')
    return data.leaderboard
  }

  readonly #accept = (leaderboard: BoardFragment): void => {
    this.#isFed = true
    const { cache } = this.lines.apollo
    const known = cache.readQuery({ query: ReadBoardDocument, variables: this.variables })?.leaderboard
    if (known !== undefined && isOlder(leaderboard, known)) return
    cache.writeQuery({ query: ReadBoardDocument, variables: this.variables, data: { leaderboard } })
  }
}

/** Versions are compared within one epoch of one board; the next window is another board. */
function isOlder(one: BoardFragment, other: BoardFragment): boolean {
  return one.id === other.id && one.epoch === other.epoch && one.version < other.version
}
