/**
 * Returns the access token of the user, or null if nobody is signed in.
 *
 * It is called before the first request, and again when the service has refused the token: `refused` is that token,
 * otherwise null. Rejecting counts as a network failure.
 */
export type GetAccessToken = (refused: string | null) => string | null | Promise<string | null>

/** The access token in use. It is asked for once, whatever the number of requests, until the service refuses it. */
export class AccessTokens {
  #asked: Promise<string | null> | null = null
  #token: string | null = null
  #refused: string | null = null

  constructor(private readonly ask: GetAccessToken) {}

  /** Return the token to send, or null. Rejects as `ask` does, and asks again with the next call. */
  get(): Promise<string | null> {
    this.#asked ??= this.#ask()
    return this.#asked
  }

  /** Return another token after `refused` was refused, or null if there is none. */
  async renew(refused: string): Promise<string | null> {
    if (this.#token === refused) {
      this.#refused = refused
      this.#asked = this.#token = null
    }
    const token = await this.get()
    return token === refused ? null : token
  }

  /** Ask for a token with the next request. */
  clear(): void {
    this.#asked = this.#token = this.#refused = null
  }

  #ask(): Promise<string | null> {
    const asked = Promise.resolve(this.#refused)
      .then(this.ask)
      .then(
        (token) => {
          if (this.#asked === asked) this.#token = token
          return token
        },
        (error: unknown) => {
          if (this.#asked === asked) this.#asked = null
          throw error
        },
      )
    return asked
  }
}
