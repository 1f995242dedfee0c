import { demoToken } from '../api/environment'
import { Store } from '../api/store'
import { claimsOf } from './token'

/** Who is looking. */
export type Identity =
  | { state: 'anonymous' }
  | { state: 'signed-in'; token: string; subject: string; username: string; expiresAt: number; demo: boolean }
  | { state: 'ended'; username: string; demo: boolean; hasExpired: boolean }

const KEY = 'leaderboard.session'
const RENEW_BEFORE = 60_000
const ANONYMOUS: Identity = { state: 'anonymous' }

/**
 * The sign-in of this tab. It survives a reload, but not the tab; a demo sign-in renews itself. The token may stand in
 * sessionStorage because the content security policy of the page admits no script but its own.
 */
export class Session {
  readonly identity = new Store<Identity>(ANONYMOUS)
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor() {
    const stored = storedSignIn()
    if (stored !== null) this.signIn(stored.token, stored.demo)
  }

  /** The value for the `authorization` header, or null. */
  readonly authorization = (): string | null => {
    const identity = this.identity.get()
    return identity.state === 'signed-in' ? `Bearer ${identity.token}` : null
  }

  /** Whether the token can be read and is still good; only then is it taken. */
  signIn(token: string, demo = false): boolean {
    const claims = claimsOf(token)
    if (claims === null) return false
    if (claims.expiresAt <= Date.now()) {
      this.#enter({ state: 'ended', username: claims.username, demo, hasExpired: true })
      return false
    }
    this.#enter({ state: 'signed-in', token, demo, ...claims })
    sessionStorage.setItem(KEY, JSON.stringify({ token, demo }))
    return true
  }

  /** Signs in as a made-up player. Rejects where demo tokens are not given out. */
  async signInAsDemo(user: string): Promise<void> {
    this.signIn(await demoToken(user), true)
  }

  signOut(): void {
    this.#enter(ANONYMOUS)
  }

  /** The service does not accept the token, or not any more. False when there was none. */
  readonly end = (hasExpired: boolean): boolean => {
    const identity = this.identity.get()
    if (identity.state !== 'signed-in') return false
    this.#enter({ state: 'ended', username: identity.username, demo: identity.demo, hasExpired })
    if (identity.demo) this.#renew(identity.username)
    return true
  }

  #enter(identity: Identity): void {
    clearTimeout(this.#timer)
    sessionStorage.removeItem(KEY)
    this.identity.set(identity)
    if (identity.state !== 'signed-in') return
    const left = identity.expiresAt - Date.now()
    // A day at most: browsers take a longer delay for none at all.
    if (identity.demo) this.#after(left - RENEW_BEFORE, () => this.#renew(identity.username))
    else this.#after(left, () => this.end(true))
  }

  #after(delay: number, act: () => void): void {
    this.#timer = setTimeout(act, Math.min(Math.max(delay, 0), 86_400_000))
  }

  #renew(username: string): void {
    this.signInAsDemo(username).catch(() => {
      const identity = this.identity.get()
      if (identity.state !== 'signed-in') return
      if (identity.expiresAt <= Date.now()) this.#enter({ state: 'ended', username, demo: true, hasExpired: true })
      else this.#after(10_000, () => this.#renew(username))
    })
  }
}

/** The stored sign-in. A value that cannot be read is removed: it must not keep the page from starting. */
function storedSignIn(): { token: string; demo: boolean } | null {
  try {
    const stored: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? 'null')
    if (typeof stored === 'object' && stored !== null && 'token' in stored && typeof stored.token === 'string') {
      return { token: stored.token, demo: 'demo' in stored && stored.demo === true }
    }
  } catch {
    // Not JSON.
  }
  sessionStorage.removeItem(KEY)
  return null
}
