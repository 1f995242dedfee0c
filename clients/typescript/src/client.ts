import { AccessTokens, type GetAccessToken } from './session/accessTokens.js'

/** A constructor of sockets, as browsers and the package `ws` have it. */
export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => unknown

export interface ClientOptions {
  /** The address of the GraphQL endpoint, for example `https://scores.example/graphql`. In a browser it may be relative. */
  url: string
  /** The access token of the user. Without it everything is anonymous: boards can be watched, but nobody can play. */
  accessToken?: GetAccessToken
  /** Replaces the global `fetch`. */
  fetch?: typeof fetch
  /** Replaces the global `WebSocket`. Null: boards are kept current by server-sent events. */
  webSocket?: WebSocketConstructor | null
  /** Milliseconds after which a request without an answer has failed; 10 000 by default. */
  requestTimeout?: number
  /**
   * How many seconds a request waits at most because the service asks for it (`retryAfter`); 60 by default. A longer
   * time is thrown as a `LeaderboardError`. Watching waits however long it takes.
   */
  maxRetryAfter?: number
}

/** The connection to one service for one user: pass it to the functions of this package. It opens nothing by itself. */
export class LeaderboardClient {
  readonly url: URL
  readonly tokens: AccessTokens
  readonly fetch: typeof fetch
  readonly webSocket: WebSocketConstructor | null
  readonly requestTimeout: number
  readonly maxRetryAfter: number
  readonly #signInListeners = new Set<() => void>()

  constructor(options: ClientOptions) {
    const { location, WebSocket } = globalThis as { location?: { href: string }; WebSocket?: WebSocketConstructor }
    this.url = new URL(options.url, location?.href)
    this.tokens = new AccessTokens(options.accessToken ?? (() => null))
    // Bound, because browsers refuse to call it as a method of anything but the window.
    this.fetch = options.fetch ?? globalThis.fetch.bind(globalThis)
    this.webSocket = options.webSocket === undefined ? (WebSocket ?? null) : options.webSocket
    this.requestTimeout = options.requestTimeout ?? 10_000
    this.maxRetryAfter = options.maxRetryAfter ?? 60
  }

  /** Call it when the user has signed in or out: asks for a token again, and opens new connections with it. */
  signInChanged(): void {
    this.tokens.clear()
    for (const listener of [...this.#signInListeners]) listener()
  }

  /** Call `listener` after each `signInChanged`, until the returned function is called. */
  onSignInChange(listener: () => void): () => void {
    this.#signInListeners.add(listener)
    return () => this.#signInListeners.delete(listener)
  }
}
