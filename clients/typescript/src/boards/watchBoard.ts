import type { LeaderboardClient } from '../client.js'
import {
  type BoardFragment,
  type ChangeFragment,
  type EntryFragment,
  type Period,
  ReadAroundDocument,
  type ReadAroundQuery,
  ReadTopDocument,
  type ReadTopQuery,
  WatchAroundDocument,
  type WatchAroundSubscription,
  WatchTopDocument,
  type WatchTopSubscription,
} from '../generated/operations.js'
import { type Observer, type Source, type Watch, watch } from '../live/watch.js'
import { execute, type ExecuteOptions } from '../requests/execute.js'

/** The visible part of a board. All ranks and totals belong to the same `version` of it. */
export type Board = BoardFragment

/** A player with score and rank. */
export type Entry = EntryFragment

/** What changed for a player since the previous update. */
export type RankChange = ChangeFragment

/** The part of a board to show: its first entries or, with `around`, the neighbours of a player. */
export interface BoardView {
  /** The id of a category; `global` by default. */
  category?: string | undefined
  /** `ALL_TIME` by default, or the current `DAILY`, `WEEKLY` or `MONTHLY` board. */
  period?: Period | undefined
  /** How many entries from the top, 1 to 100; 10 by default. */
  limit?: number | undefined
  /** The id of a player, whose neighbours are shown instead of the top. */
  around?: string | undefined
  /** With `around`: how many entries above and below, 0 to 49; 5 by default. */
  radius?: number | undefined
}

/** A board, and what changed since the previous update: nothing if it is the first, or was polled. */
export interface BoardUpdate {
  board: Board
  changes: readonly RankChange[]
}

/**
 * Keep a board current, and call `observer` with every update. A new day, week or month begins by itself. `version`
 * never goes back within an `epoch`.
 */
export function watchBoard(
  client: LeaderboardClient,
  view: BoardView = {},
  observer: Observer<BoardUpdate> | ((update: BoardUpdate) => void) = {},
): Watch<BoardUpdate> {
  return view.around === undefined
    ? watch(client, topSource(view), observer)
    : watch(client, aroundSource(view, view.around), observer)
}

/** Return a board as it is now. */
export async function readBoard(
  client: LeaderboardClient,
  view: BoardView = {},
  options: ExecuteOptions = {},
): Promise<Board> {
  return view.around === undefined
    ? (await execute(client, ReadTopDocument, topVariables(view), options)).leaderboard
    : boardAround(await execute(client, ReadAroundDocument, aroundVariables(view, view.around), options))
}

const topVariables = ({ category = 'global', period = 'ALL_TIME', limit = 10 }: BoardView) => ({
  category,
  period,
  limit,
})

const aroundVariables = ({ category = 'global', period = 'ALL_TIME', radius = 5 }: BoardView, userId: string) => ({
  category,
  period,
  userId,
  radius,
})

function topSource(
  view: BoardView,
): Source<BoardUpdate, WatchTopSubscription, ReturnType<typeof topVariables>, ReadTopQuery> {
  return {
    subscription: WatchTopDocument,
    variables: topVariables(view),
    value: updateOf,
    polling: { query: ReadTopDocument, value: ({ leaderboard }) => ({ board: leaderboard, changes: [] }) },
    isOlder,
  }
}

function aroundSource(
  view: BoardView,
  userId: string,
): Source<BoardUpdate, WatchAroundSubscription, ReturnType<typeof aroundVariables>, ReadAroundQuery> {
  return {
    subscription: WatchAroundDocument,
    variables: aroundVariables(view, userId),
    value: updateOf,
    polling: { query: ReadAroundDocument, value: (data) => ({ board: boardAround(data), changes: [] }) },
    isOlder,
  }
}

function updateOf({ leaderboardUpdates: { leaderboard, changes } }: WatchTopSubscription): BoardUpdate {
  return { board: leaderboard, changes }
}

function boardAround({ leaderboard: { around, ...head } }: ReadAroundQuery): Board {
  return { ...head, entries: around }
}

/** Versions are comparable within one epoch only; every window and every rebuilt board has another epoch. */
function isOlder({ board: next }: BoardUpdate, { board: current }: BoardUpdate): boolean {
  return next.epoch === current.epoch && next.version < current.version
}
