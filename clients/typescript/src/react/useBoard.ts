import { type Board, type BoardView, type RankChange, watchBoard } from '../boards/watchBoard.js'
import type { Connection } from '../live/connection.js'
import { useWatch } from './useWatch.js'

const NO_CHANGES: readonly RankChange[] = []

export interface LiveBoard {
  /** Null before the first update. It stays when the connection is lost. */
  board: Board | null
  /** What changed with the last update. */
  changes: readonly RankChange[]
  connection: Connection
  /** Connect anew at once, for example after `stopped`. */
  reconnect: () => void
}

/** A board that is kept current for as long as the component is mounted. */
export function useBoard(view: BoardView = {}): LiveBoard {
  const { value, connection, reconnect } = useWatch(view, watchBoard)
  return { board: value?.board ?? null, changes: value?.changes ?? NO_CHANGES, connection, reconnect }
}
