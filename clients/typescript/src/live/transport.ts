import type { Failure } from '../requests/failure.js'
import type { TransportName } from './connection.js'

/** Receives values. After `lost` nothing follows. */
export interface Sink<T> {
  next(value: T): void
  /** `token` is the access token with which the connection was opened, if it was refused. */
  lost(failure: Failure, token?: string | null): void
}

/** One way to keep a value current. */
export interface Transport<T> {
  readonly name: TransportName
  /** Milliseconds within which the first value must come. */
  readonly timeout: number
  /** Begin; the returned function ends it, and the sink receives nothing after that. */
  open(sink: Sink<T>, token: string | null): () => void
}
