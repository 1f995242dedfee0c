/** Where access tokens come from. In your application this asks your identity provider. */
export interface Tokens {
  /** A token that is good for a while yet; null for an anonymous visitor. */
  fresh(): Promise<string | null>
  /** Forget the token: the service says that it is good no more. */
  discard(): void
}

let kept: string | null = null

/** Tokens from an endpoint of your own. Watching boards needs none, so no endpoint means an anonymous visitor. */
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
