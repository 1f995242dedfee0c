import type { LeaderboardClient } from '../client.js'
import { backoff, notBefore } from '../requests/backoff.js'
import { accessToken } from '../requests/execute.js'
import { type Failure, NETWORK } from '../requests/failure.js'
import { Attempt } from './attempt.js'
import type { Connection } from './connection.js'
import { isOffline, onDeviceChange } from './device.js'
import type { Transport } from './transport.js'

const UPGRADE_MS = 30_000
const MAX_REFUSED_TOKENS = 3
/** An unexpected error in the service counts as so many failures in a row: the same may happen again. */
const FAULT_FAILURES = 4
// Timers with longer times fire at once.
const MAX_TIMER_MS = 86_400_000

/**
 * Keeps a value current until it is closed: by the first transport that works, trying again after every loss, and
 * returning to the first transport when a later one is in use. Only a displaced socket, an access token without a
 * successor, or a rejected operation stops it, until `reconnect`.
 */
export class TransportFallback<T> {
  #current: Attempt<T> | null = null
  #upgrade: Attempt<T> | null = null
  #timer: ReturnType<typeof setTimeout> | undefined
  #upgradeTimer: ReturnType<typeof setTimeout> | undefined
  #failures = 0
  #refusedTokens = 0
  #lostAt: number | null = null
  #isWaiting = false
  #isStopped = false
  /** Milliseconds since 1970: the service has asked to wait until then. */
  #notBefore = 0
  /** Counts what was begun, so that an access token that comes too late opens nothing. */
  #generation = 0
  readonly #unsubscribe: (() => void)[]

  constructor(
    private readonly client: LeaderboardClient,
    private readonly transports: readonly Transport<T>[],
    private readonly receive: (value: T) => void,
    private readonly report: (connection: Connection) => void,
  ) {
    this.#unsubscribe = [
      client.onSignInChange(this.reconnect),
      onDeviceChange({
        online: () => this.#reconnectUnlessForbidden(),
        offline: this.#onOffline,
        visible: () => {
          if (this.#isWaiting) this.#reconnectUnlessForbidden()
        },
      }),
    ]
    this.#try(0)
  }

  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    this.#closeAll()
  }

  /** Begin anew at once, whatever it was waiting for. */
  readonly reconnect = (): void => {
    this.#closeAll()
    this.#failures = this.#refusedTokens = 0
    this.#reportLoss()
    this.#try(0)
  }

  #reconnectUnlessForbidden(): void {
    if (!this.#isStopped && Date.now() >= this.#notBefore) this.reconnect()
  }

  readonly #onOffline = (): void => {
    if (this.#isStopped) return
    this.#closeAll()
    this.#reportLoss()
  }

  #closeAll(): void {
    this.#generation++
    clearTimeout(this.#timer)
    clearTimeout(this.#upgradeTimer)
    this.#upgradeTimer = undefined
    this.#isWaiting = this.#isStopped = false
    this.#notBefore = 0
    this.#current?.close()
    this.#upgrade?.close()
    this.#current = this.#upgrade = null
  }

  #try(index: number): void {
    const transport = this.transports[index]
    if (transport === undefined) {
      this.#retryLater(backoff(this.#failures++))
      return
    }
    const attempt: Attempt<T> = new Attempt(transport, {
      next: (value) => this.#delivered(attempt, value),
      lost: (failure, token) => this.#lost(attempt, index, failure, token ?? null),
    })
    this.#current = attempt
    this.#open(attempt)
  }

  #open(attempt: Attempt<T>): void {
    const generation = this.#generation
    accessToken(() => this.client.tokens.get(), this.client).then(
      (token) => {
        if (generation === this.#generation) attempt.open(token)
      },
      () => {
        if (generation === this.#generation) attempt.lost(NETWORK)
      },
    )
  }

  #delivered(attempt: Attempt<T>, value: T): void {
    this.#failures = this.#refusedTokens = 0
    this.#lostAt = null
    this.report({ state: 'live', transport: attempt.transport.name })
    if (attempt.transport !== this.transports[0]) {
      this.#upgradeTimer ??= setTimeout(this.#tryFirstTransport, backoffOfUpgrade())
    }
    this.receive(value)
  }

  #lost(attempt: Attempt<T>, index: number, failure: Failure, token: string | null): void {
    this.#closeAll()
    switch (failure.kind) {
      case 'displaced':
      case 'rejected':
        this.#stop(failure)
        return
      case 'rate-limited':
        this.#notBefore = Date.now() + failure.retryAfter * 1000
        this.report({ state: 'waiting', until: this.#notBefore, failure })
        this.#timer = setTimeout(() => this.#try(0), Math.min(notBefore(failure.retryAfter), MAX_TIMER_MS))
        return
      case 'unavailable':
        this.#notBefore = Date.now() + failure.retryAfter * 1000
        this.#retryLater(notBefore(failure.retryAfter) + backoff(this.#failures++))
        return
      case 'fault':
        this.#failures = Math.max(this.#failures, FAULT_FAILURES)
        this.#retryLater(backoff(this.#failures++))
        return
      case 'unauthenticated':
        this.#renewToken(failure, token)
        return
      case 'network':
        this.#reportLoss()
        // What has worked will work again; what never did is left for the next transport.
        if (attempt.hasDelivered) this.#retryLater(backoff(0))
        else this.#try(index + 1)
    }
  }

  #renewToken(failure: Failure, refused: string | null): void {
    const generation = this.#generation
    if (refused === null || ++this.#refusedTokens > MAX_REFUSED_TOKENS) {
      this.#stop(failure)
      return
    }
    this.#reportLoss()
    accessToken(() => this.client.tokens.renew(refused), this.client).then(
      (token) => {
        if (generation !== this.#generation) return
        if (token === null) this.#stop(failure)
        else if (this.#refusedTokens === 1) this.#try(0)
        else this.#retryLater(backoff(this.#refusedTokens))
      },
      () => {
        if (generation === this.#generation) this.#retryLater(backoff(this.#failures++))
      },
    )
  }

  #stop(failure: Failure): void {
    this.#isStopped = true
    this.report({ state: 'stopped', failure })
  }

  #retryLater(delay: number): void {
    this.#current = null
    this.#isWaiting = true
    this.#reportLoss()
    this.#timer = setTimeout(() => {
      this.#isWaiting = false
      this.#try(0)
    }, delay)
  }

  #reportLoss(): void {
    this.#lostAt ??= Date.now()
    this.report({ state: isOffline() ? 'offline' : 'reconnecting', since: this.#lostAt })
  }

  /** Open the first transport while another one is in use, and change over when it delivers. */
  readonly #tryFirstTransport = (): void => {
    const [first] = this.transports
    if (first === undefined) return
    const attempt: Attempt<T> = new Attempt(first, {
      next: (value) => {
        if (this.#upgrade === attempt) {
          this.#current?.close()
          this.#current = attempt
          this.#upgrade = null
          this.#upgradeTimer = undefined
        }
        this.#delivered(attempt, value)
      },
      lost: (failure, token) => {
        if (this.#upgrade !== attempt) {
          this.#lost(attempt, 0, failure, token ?? null)
          return
        }
        this.#upgrade = null
        this.#upgradeTimer = setTimeout(this.#tryFirstTransport, backoffOfUpgrade())
      },
    })
    this.#upgrade = attempt
    this.#open(attempt)
  }
}

function backoffOfUpgrade(): number {
  return UPGRADE_MS * (1 + Math.random() / 2)
}
