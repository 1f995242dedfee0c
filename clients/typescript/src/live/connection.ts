import type { Failure } from '../requests/failure.js'

export type TransportName = 'websocket' | 'sse' | 'polling'

/** How a watched value is being kept current. Times are milliseconds since 1970. */
export type Connection =
  | { state: 'connecting' }
  | { state: 'live'; transport: TransportName }
  /** It tries again by itself. */
  | { state: 'reconnecting'; since: number }
  /** The device has no network. It goes on when there is one. */
  | { state: 'offline'; since: number }
  /** The service has asked to wait, and is asked again then. */
  | { state: 'waiting'; until: number; failure: Failure }
  /** Trying again cannot help by itself: call `reconnect` when the user asks for it. */
  | { state: 'stopped'; failure: Failure }
  | { state: 'closed' }
