import type { Problem } from '../api/problem'
import type { Rung, Sink } from './transport'

/** One use of one rung: it is lost when nothing comes in time, and silent once closed. */
export class Attempt<T> implements Sink<T> {
  hasDelivered = false
  #ended = false
  #end: () => void = () => {}
  #patience: ReturnType<typeof setTimeout> | undefined

  constructor(
    readonly rung: Rung<T>,
    private readonly sink: Sink<T>,
  ) {}

  open(): void {
    this.#patience = setTimeout(() => this.lost({ kind: 'network' }), this.rung.patience)
    const end = this.rung.open(this)
    // The rung may have failed before it returned.
    if (this.#ended) end()
    else this.#end = end
  }

  next(value: T): void {
    if (this.#ended) return
    clearTimeout(this.#patience)
    this.hasDelivered = true
    this.sink.next(value)
  }

  lost(problem: Problem): void {
    if (this.#ended) return
    this.close()
    this.sink.lost(problem)
  }

  close(): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#patience)
    this.#end()
  }
}
