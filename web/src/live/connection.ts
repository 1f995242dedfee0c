import type { Problem } from '../api/problem'

export type TransportName = 'socket' | 'stream' | 'polling'

/** How the board is being kept current, for the badge. Times are milliseconds since 1970. */
export type Connection =
  | { state: 'connecting' }
  | { state: 'live'; by: TransportName }
  | { state: 'reconnecting'; since: number }
  | { state: 'offline'; since: number }
  | { state: 'waiting'; until: number }
  | { state: 'displaced' }
  | { state: 'refused'; problem: Problem; at: number }
