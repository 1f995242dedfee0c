import type { Problem } from '../api/problem'
import type { TransportName } from './connection'

/** Where values go. After `lost` nothing follows. */
export interface Sink<T> {
  next(value: T): void
  lost(problem: Problem): void
}

/** One way to be kept current. */
export interface Transport<T> {
  readonly name: TransportName
  /** Milliseconds within which the first value must come. */
  readonly timeout: number
  /** Begins; the returned function ends it, and after that the sink hears nothing. */
  open(sink: Sink<T>): () => void
}

/** The same way, with another value made of what comes. */
export function mapped<A, B>(transport: Transport<A>, change: (value: A) => B): Transport<B> {
  return {
    name: transport.name,
    timeout: transport.timeout,
    open: (sink) =>
      transport.open({ next: (value) => sink.next(change(value)), lost: (problem) => sink.lost(problem) }),
  }
}
