import type { LeaderboardClient } from '../client.js'
import { backoff, notBefore, wait } from './backoff.js'
import { type Document, isQuery } from './document.js'
import { type Failure, LeaderboardError, NETWORK } from './failure.js'
import { send } from './send.js'

export interface ExecuteOptions {
  /** Ends the waiting and the retries. The operation may have been done all the same. */
  signal?: AbortSignal | undefined
  /**
   * Whether the operation may be sent again when its answer was lost. By default queries are, and mutations are not.
   * Operations that the service refused for a while are repeated in any case, because nothing was done.
   */
  repeatable?: boolean
  /** How often the operation is sent at most; 5 by default. */
  maxAttempts?: number
}

/**
 * Execute a query or a mutation and return its data.
 *
 * It is repeated with growing random waits while the service cannot be reached, not before `retryAfter` seconds if the
 * service asks for that, and once with a new access token if the service refuses the old one.
 *
 * @throws LeaderboardError if the service cannot do it, or not soon enough; the reason of `signal` if it is aborted.
 */
export async function execute<Data, Variables>(
  client: LeaderboardClient,
  document: Document<Data, Variables>,
  variables: Variables,
  options: ExecuteOptions = {},
): Promise<Data> {
  const { signal, repeatable = isQuery(document), maxAttempts = 5 } = options
  let isRenewed = false
  for (let attempt = 1; ; attempt++) {
    let token: string | null = null
    try {
      token = await accessToken(() => client.tokens.get(), client, signal)
      return await send(client, { document, variables, token, signal })
    } catch (error) {
      if (!(error instanceof LeaderboardError) || attempt >= maxAttempts) throw error
      const { failure } = error
      if (failure.kind === 'unauthenticated') {
        const refused = token
        if (refused === null || isRenewed) throw error
        if ((await accessToken(() => client.tokens.renew(refused), client, signal)) === null) throw error
        isRenewed = true
        continue
      }
      const delay = delayBeforeRetry(failure, attempt - 1, repeatable, client.maxRetryAfter)
      if (delay === null) throw error
      await wait(delay, signal)
    }
  }
}

/** Ask for an access token, for no longer than a request may take. */
export async function accessToken(
  ask: () => Promise<string | null>,
  { requestTimeout }: LeaderboardClient,
  signal?: AbortSignal,
): Promise<string | null> {
  const over = new AbortController()
  const stop = () => over.abort()
  signal?.addEventListener('abort', stop)
  const late = wait(requestTimeout, over.signal).then(() => {
    throw new LeaderboardError(NETWORK)
  })
  try {
    return await Promise.race([ask(), late])
  } catch (error) {
    signal?.throwIfAborted()
    throw error instanceof LeaderboardError ? error : new LeaderboardError(NETWORK, { cause: error })
  } finally {
    signal?.removeEventListener('abort', stop)
    late.catch(() => {})
    stop()
  }
}

function delayBeforeRetry(failure: Failure, failures: number, repeatable: boolean, maxWait: number): number | null {
  switch (failure.kind) {
    case 'network':
      return repeatable ? backoff(failures) : null
    case 'rate-limited':
      return failure.retryAfter <= maxWait ? notBefore(failure.retryAfter) : null
    case 'unavailable':
      return failure.retryAfter <= maxWait ? notBefore(failure.retryAfter) + backoff(failures) : null
    default:
      return null
  }
}
