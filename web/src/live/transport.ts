import type { Problem } from '../api/problem'
import type { RungName } from './connection'

/** Where values go. After `lost` nothing follows. */
export interface Sink<T> {
  next(value: T): void
  lost(problem: Problem): void
}

/** One way to be kept current. */
export interface Rung<T> {
  readonly name: RungName
  /** Milliseconds within which the first value must come. */
  readonly patience: number
  /** Begins; the returned function ends it, and after that the sink hears nothing. */
  open(sink: Sink<T>): () => void
}

/** The same way, with another value made of what comes. */
export function mapped<A, B>(rung: Rung<A>, change: (value: A) => B): Rung<B> {
  return {
    name: rung.name,
    patience: rung.patience,
    open: (sink) => rung.open({ next: (value) => sink.next(change(value)), lost: (problem) => sink.lost(problem) }),
  }
}
