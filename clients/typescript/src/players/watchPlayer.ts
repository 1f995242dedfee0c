import type { LeaderboardClient } from '../client.js'
import {
  type Period,
  type PlayerChangeFragment,
  type PlayerFragment,
  ReadPlayerDocument,
  type ReadPlayerQuery,
  ReadSelfDocument,
  type ReadSelfQuery,
  type StandingFragment,
  WatchPlayerDocument,
  WatchSelfDocument,
} from '../generated/operations.js'
import { type Observer, type Watch, watch } from '../live/watch.js'
import { execute, type ExecuteOptions } from '../requests/execute.js'
import { LeaderboardError } from '../requests/failure.js'

/** A user: id, name and picture. */
export type Player = PlayerFragment

/** The score and rank of a player on a board. `rank` is null without a score. */
export type Standing = StandingFragment

/** Whose place on which board. */
export interface PlayerView {
  /** The id of a player; without it, the player who is signed in. */
  userId?: string | undefined
  /** The id of a category; `global` by default. */
  category?: string | undefined
  /** `ALL_TIME` by default, or the current `DAILY`, `WEEKLY` or `MONTHLY` board. */
  period?: Period | undefined
}

/** The place of a player, and what changed since the previous update: nothing if it is the first, or was polled. */
export interface PlayerUpdate {
  standing: Standing
  previousRank: number | null
  scoreDelta: number
  /** The nearest player above who passed this one. */
  overtakenBy: Player | null
}

/** Keep the score and rank of a player current, and call `observer` with every update. */
export function watchPlayer(
  client: LeaderboardClient,
  view: PlayerView = {},
  observer: Observer<PlayerUpdate> | ((update: PlayerUpdate) => void) = {},
): Watch<PlayerUpdate> {
  const { userId } = view
  const value = (data: { userUpdates: PlayerChangeFragment }): PlayerUpdate => data.userUpdates
  if (userId === undefined) {
    const polling = { query: ReadSelfDocument, value: (data: ReadSelfQuery) => unchanged(ownStanding(data)) }
    return watch(client, { subscription: WatchSelfDocument, variables: board(view), value, polling }, observer)
  }
  const variables = { ...board(view), userId }
  const polling = { query: ReadPlayerDocument, value: (data: ReadPlayerQuery) => unchanged(known(data.userRank)) }
  return watch(client, { subscription: WatchPlayerDocument, variables, value, polling }, observer)
}

/** Return the score and rank of a player as they are now. */
export async function readPlayer(
  client: LeaderboardClient,
  view: PlayerView = {},
  options: ExecuteOptions = {},
): Promise<Standing> {
  const { userId } = view
  return userId === undefined
    ? ownStanding(await execute(client, ReadSelfDocument, board(view), options))
    : known((await execute(client, ReadPlayerDocument, { ...board(view), userId }, options)).userRank)
}

function board({ category = 'global', period = 'ALL_TIME' }: PlayerView): { category: string; period: Period } {
  return { category, period }
}

function unchanged(standing: Standing): PlayerUpdate {
  return { standing, previousRank: standing.rank, scoreDelta: 0, overtakenBy: null }
}

function ownStanding({ me }: ReadSelfQuery): Standing {
  if (me === null) throw new LeaderboardError({ kind: 'unauthenticated', expired: false })
  return me.rank
}

function known(standing: Standing | null): Standing {
  if (standing !== null) return standing
  throw new LeaderboardError({ kind: 'rejected', code: 'USER_NOT_FOUND', message: 'No user with this id exists.' })
}
