import type { Connection } from '../live/connection.js'
import { type PlayerUpdate, type PlayerView, type Standing, watchPlayer } from '../players/watchPlayer.js'
import { useWatch } from './useWatch.js'

export interface LivePlayer {
  /** Null before the first update. It stays when the connection is lost. */
  standing: Standing | null
  /** The last update: previous rank, change of the score, and who passed the player. */
  update: PlayerUpdate | null
  connection: Connection
  /** Connect anew at once, for example after `stopped`. */
  reconnect: () => void
}

/** The place of a player, kept current for as long as the component is mounted. */
export function usePlayer(view: PlayerView = {}): LivePlayer {
  const { value, connection, reconnect } = useWatch(view, watchPlayer)
  return { standing: value?.standing ?? null, update: value, connection, reconnect }
}
