import { type Failure, NETWORK } from '../requests/failure.js'
import type { Sink, Transport } from './transport.js'

/** One use of one transport: it is lost when nothing comes in time, and silent once it is closed. */
export class Attempt<T> implements Sink<T> {
  hasDelivered = false
  #ended = false
  #end: () => void = () => {}
  #timeout: ReturnType<typeof setTimeout> | undefined

  constructor(
    readonly transport: Transport<T>,
    private readonly sink: Sink<T>,
  ) {}

  open(token: string | null): void {
    this.#timeout = setTimeout(() => this.lost(NETWORK), this.transport.timeout)
    const end = this.transport.open(this, token)
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

  lost(failure: Failure, token: string | null = null): void {
    if (this.#ended) return
    this.close()
    this.sink.lost(failure, token)
  }

  close(): void {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#timeout)
    this.#end()
  }
}
