import type { Problem } from '../api/problem'
import { Attempt } from './attempt'
import { backoff } from './backoff'
import type { Connection } from './connection'
import type { Rung } from './transport'

const CLIMB_EVERY = 30_000

/**
 * Keeps a value current, for ever: by the first way that works, trying again after every loss, and climbing back to
 * the best way when a lesser one serves. Only being displaced or refused stops it, until `hurry`.
 */
export class Ladder<T> {
  #current: Attempt<T> | null = null
  #climb: Attempt<T> | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #climbTimer: ReturnType<typeof setTimeout> | undefined
  #failures = 0
  #lostAt: number | null = null

  /** `onSignedOut` says whether there was a sign-in to end: only then is it worth trying again without. */
  constructor(
    private readonly rungs: readonly Rung<T>[],
    private readonly receive: (value: T) => void,
    private readonly report: (connection: Connection) => void,
    private readonly onSignedOut: (hasExpired: boolean) => boolean,
  ) {}

  start(): void {
    addEventListener('online', this.hurry)
    addEventListener('offline', this.#unplugged)
    document.addEventListener('visibilitychange', this.#seen)
    this.report({ state: 'connecting' })
    this.#try(0)
  }

  stop(): void {
    removeEventListener('online', this.hurry)
    removeEventListener('offline', this.#unplugged)
    document.removeEventListener('visibilitychange', this.#seen)
    this.#drop()
  }

  /** Begins anew at once, whatever it was waiting for. */
  readonly hurry = (): void => {
    this.#drop()
    this.#failures = 0
    this.#away()
    this.#try(0)
  }

  readonly #unplugged = (): void => {
    this.#drop()
    this.#lostAt ??= Date.now()
    this.report({ state: 'offline', since: this.#lostAt })
  }

  readonly #seen = (): void => {
    const isWaiting = this.#current === null && this.#failures > 0
    if (document.visibilityState === 'visible' && isWaiting) this.hurry()
  }

  #drop(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#climbTimer)
    this.#climbTimer = undefined
    this.#current?.close()
    this.#climb?.close()
    this.#current = this.#climb = null
  }

  #try(index: number): void {
    const rung = this.rungs[index]
    if (rung === undefined) {
      this.#again(backoff(this.#failures++))
      return
    }
    const attempt: Attempt<T> = new Attempt(rung, {
      next: (value) => this.#delivered(attempt, value),
      lost: (problem) => this.#lost(attempt, index, problem),
    })
    this.#current = attempt
    attempt.open()
  }

  #delivered(attempt: Attempt<T>, value: T): void {
    this.#failures = 0
    this.#lostAt = null
    this.report({ state: 'live', by: attempt.rung.name })
    if (attempt.rung !== this.rungs[0]) this.#climbTimer ??= setTimeout(this.#climbUp, CLIMB_EVERY)
    this.receive(value)
  }

  #lost(attempt: Attempt<T>, index: number, problem: Problem): void {
    this.#drop()
    switch (problem.kind) {
      case 'displaced':
        this.report({ state: 'displaced' })
        return
      case 'refused':
      case 'fault':
        this.report({ state: 'refused', problem })
        return
      case 'limited':
        this.report({ state: 'waiting', until: Date.now() + problem.retryAfter * 1000 })
        this.#timer = setTimeout(this.hurry, problem.retryAfter * 1000)
        return
      case 'signed-out':
        if (this.onSignedOut(problem.expired)) this.#again(backoff(this.#failures++))
        else this.report({ state: 'refused', problem })
        return
    }
    this.#away()
    // What has worked will work again; what never did is left for the next way.
    if (attempt.hasDelivered) this.#again(backoff(0))
    else this.#try(index + 1)
  }

  #again(delay: number): void {
    this.#current = null
    this.#away()
    this.#timer = setTimeout(() => this.#try(0), delay)
  }

  #away(): void {
    this.#lostAt ??= Date.now()
    this.report(navigator.onLine ? { state: 'reconnecting', since: this.#lostAt } : { state: 'offline', since: this.#lostAt })
  }

  /** Tries the best way beside the one that serves, and changes over when it delivers. */
  readonly #climbUp = (): void => {
    const [best] = this.rungs
    if (best === undefined) return
    const attempt: Attempt<T> = new Attempt(best, {
      next: (value) => {
        if (this.#climb === attempt) {
          this.#current?.close()
          this.#current = attempt
          this.#climb = null
          this.#climbTimer = undefined
        }
        this.#delivered(attempt, value)
      },
      lost: (problem) => {
        if (this.#climb !== attempt) {
          this.#lost(attempt, 0, problem)
          return
        }
        this.#climb = null
        this.#climbTimer = setTimeout(this.#climbUp, CLIMB_EVERY)
      },
    })
    this.#climb = attempt
    attempt.open()
  }
}
