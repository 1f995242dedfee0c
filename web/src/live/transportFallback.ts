import type { Problem } from '../api/problem'
import { Attempt } from './attempt'
import { backoff } from './backoff'
import type { Connection } from './connection'
import type { Transport } from './transport'

const UPGRADE_INTERVAL_MS = 30_000

/**
 * Keeps a value current, for ever: by the first way that works, trying again after every loss, and climbing back to
 * the best way when a lesser one serves. Only being displaced or refused stops it, until `reconnectNow`.
 */
export class TransportFallback<T> {
  #current: Attempt<T> | null = null
  #upgradeAttempt: Attempt<T> | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #upgradeTimer: ReturnType<typeof setTimeout> | undefined
  #failures = 0
  #lostAt: number | null = null

  /** `onSignedOut` says whether there was a sign-in to end: only then is it worth trying again without. */
  constructor(
    private readonly transports: readonly Transport<T>[],
    private readonly receive: (value: T) => void,
    private readonly report: (connection: Connection) => void,
    private readonly onSignedOut: (hasExpired: boolean) => boolean,
  ) {}

  start(): void {
    addEventListener('online', this.reconnectNow)
    addEventListener('offline', this.#onOffline)
    document.addEventListener('visibilitychange', this.#onVisibilityChange)
    this.report({ state: 'connecting' })
    this.#try(0)
  }

  stop(): void {
    removeEventListener('online', this.reconnectNow)
    removeEventListener('offline', this.#onOffline)
    document.removeEventListener('visibilitychange', this.#onVisibilityChange)
    this.#closeAll()
  }

  /** Begins anew at once, whatever it was waiting for. */
  readonly reconnectNow = (): void => {
    this.#closeAll()
    this.#failures = 0
    this.#reportDisconnected()
    this.#try(0)
  }

  readonly #onOffline = (): void => {
    this.#closeAll()
    this.#lostAt ??= Date.now()
    this.report({ state: 'offline', since: this.#lostAt })
  }

  readonly #onVisibilityChange = (): void => {
    const isWaiting = this.#current === null && this.#failures > 0
    if (document.visibilityState === 'visible' && isWaiting) this.reconnectNow()
  }

  #closeAll(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#upgradeTimer)
    this.#upgradeTimer = undefined
    this.#current?.close()
    this.#upgradeAttempt?.close()
    this.#current = this.#upgradeAttempt = null
  }

  #try(index: number): void {
    const transport = this.transports[index]
    if (transport === undefined) {
      this.#retryAfter(backoff(this.#failures++))
      return
    }
    const attempt: Attempt<T> = new Attempt(transport, {
      next: (value) => this.#delivered(attempt, value),
      lost: (problem) => this.#lost(attempt, index, problem),
    })
    this.#current = attempt
    attempt.open()
  }

  #delivered(attempt: Attempt<T>, value: T): void {
    this.#failures = 0
    this.#lostAt = null
    this.report({ state: 'live', by: attempt.transport.name })
    if (attempt.transport !== this.transports[0]) this.#upgradeTimer ??= setTimeout(this.#upgrade, UPGRADE_INTERVAL_MS)
    this.receive(value)
  }

  #lost(attempt: Attempt<T>, index: number, problem: Problem): void {
    this.#closeAll()
    switch (problem.kind) {
      case 'displaced':
        this.report({ state: 'displaced' })
        return
      case 'refused':
      case 'fault':
        this.report({ state: 'refused', problem, at: Date.now() })
        return
      case 'limited':
        this.report({ state: 'waiting', until: Date.now() + problem.retryAfter * 1000 })
        this.#timer = setTimeout(this.reconnectNow, problem.retryAfter * 1000)
        return
      case 'signed-out':
        if (this.onSignedOut(problem.expired)) this.#retryAfter(backoff(this.#failures++))
        else this.report({ state: 'refused', problem, at: Date.now() })
        return
    }
    this.#reportDisconnected()
    // What has worked will work again; what never did is left for the next way.
    if (attempt.hasDelivered) this.#retryAfter(backoff(0))
    else this.#try(index + 1)
  }

  #retryAfter(delay: number): void {
    this.#current = null
    this.#reportDisconnected()
    this.#timer = setTimeout(() => this.#try(0), delay)
  }

  #reportDisconnected(): void {
    this.#lostAt ??= Date.now()
    this.report(
      navigator.onLine ? { state: 'reconnecting', since: this.#lostAt } : { state: 'offline', since: this.#lostAt },
    )
  }

  /** Tries the best way beside the one that serves, and changes over when it delivers. */
  readonly #upgrade = (): void => {
    const [best] = this.transports
    if (best === undefined) return
    const attempt: Attempt<T> = new Attempt(best, {
      next: (value) => {
        if (this.#upgradeAttempt === attempt) {
          this.#current?.close()
          this.#current = attempt
          this.#upgradeAttempt = null
          this.#upgradeTimer = undefined
        }
        this.#delivered(attempt, value)
      },
      lost: (problem) => {
        if (this.#upgradeAttempt !== attempt) {
          this.#lost(attempt, 0, problem)
          return
        }
        this.#upgradeAttempt = null
        this.#upgradeTimer = setTimeout(this.#upgrade, UPGRADE_INTERVAL_MS)
      },
    })
    this.#upgradeAttempt = attempt
    attempt.open()
  }
}
