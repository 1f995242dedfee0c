/** The source of access tokens. In your application, this asks your identity provider. */
export interface Tokens {
  /** A valid token, or null for an anonymous visitor. */
  fresh(): Promise<string | null>
  /** Forget the token, because the service rejected it as expired. */
  discard(): void
}

let kept: string | null = null

/** Tokens from your own endpoint. Watching needs no token, so without an endpoint the visitor is anonymous. */
export const tokens: Tokens = {
  async fresh() {
    const endpoint = import.meta.env.VITE_TOKENS
    if (kept === null && endpoint !== undefined) kept = await (await fetch(endpoint)).text()
    return kept
  },
  discard() {
    kept = null
  },
}
