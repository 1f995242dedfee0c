import type { Problem } from '../api/problem'
import type { Transport, Sink } from './transport'

/** One use of one transport: it is lost when nothing comes in time, and silent once closed. */
export class Attempt<T> implements Sink<T> {
  hasDelivered = false
  #ended = false
  #end: () => void = () => {}
  #timeout: ReturnType<typeof setTimeout> | undefined

  constructor(
    readonly transport: Transport<T>,
    private readonly sink: Sink<T>,
  ) {}

  open(): void {
    this.#timeout = setTimeout(() => this.lost({ kind: 'network' }), this.transport.timeout)
    const end = this.transport.open(this)
    // The transport may have failed before it returned.
    if (this.#ended) end()
    else this.#end = end
  }

  next(value: T): void {
    if (this.#ended) return
    clearTimeout(this.#timeout)
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
    clearTimeout(this.#timeout)
    this.#end()
  }
}
