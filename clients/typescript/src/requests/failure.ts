/** Why the service did not do what it was asked for. Times are in seconds. */
export type Failure =
  /** No answer of the service: no connection, a time-out, or an error page of a proxy. The request may have been done. */
  | { kind: 'network' }
  /** Over a rate limit; nothing was done. It passes after `retryAfter` seconds. */
  | { kind: 'rate-limited'; retryAfter: number }
  /** A data store is away; nothing was done. */
  | { kind: 'unavailable'; retryAfter: number }
  /** The access token is missing or not valid, and `accessToken` had no other. */
  | { kind: 'unauthenticated'; expired: boolean }
  /** The service closed the socket because the user has opened too many: the newest stay. */
  | { kind: 'displaced' }
  /** The request cannot succeed as it is. `code` is an `ErrorCode` of the schema, or `HTTP_` and a status. */
  | { kind: 'rejected'; code: string; message: string }
  /** An unexpected error in the service. Report `errorId` to its operators. */
  | { kind: 'fault'; errorId: string | null }

/** What requests of this package throw. `failure` says why, as a discriminated union. */
export class LeaderboardError extends Error {
  override readonly name = 'LeaderboardError'

  constructor(
    readonly failure: Failure,
    options?: ErrorOptions,
  ) {
    super(messageOf(failure), options)
  }
}

export const NETWORK: Failure = { kind: 'network' }

const DEFAULT_WAIT_SECONDS = 5

export interface GraphQLFailure {
  message: string
  extensions?: Record<string, unknown> | undefined
}

/** The failure that the first error of a response stands for. */
export function failureOfErrors(errors: readonly GraphQLFailure[]): Failure {
  const { message, extensions = {} } = errors[0] ?? { message: 'no message' }
  const retryAfter = typeof extensions.retryAfter === 'number' ? extensions.retryAfter : DEFAULT_WAIT_SECONDS
  switch (extensions.code) {
    case 'RATE_LIMITED':
      return { kind: 'rate-limited', retryAfter }
    case 'SERVICE_UNAVAILABLE':
      return { kind: 'unavailable', retryAfter }
    case 'UNAUTHENTICATED':
      return { kind: 'unauthenticated', expired: extensions.reason === 'TOKEN_EXPIRED' }
    case 'INTERNAL_SERVER_ERROR':
      return { kind: 'fault', errorId: typeof extensions.errorId === 'string' ? extensions.errorId : null }
    default:
      return { kind: 'rejected', code: String(extensions.code ?? 'UNKNOWN'), message }
  }
}

/** The failure that an HTTP response without a GraphQL body stands for. */
export function failureOfResponse({ status, headers }: Response): Failure {
  if (status === 429) {
    return { kind: 'rate-limited', retryAfter: Number(headers.get('retry-after')) || DEFAULT_WAIT_SECONDS }
  }
  // The answers of proxies come as pages, whatever their status: 200 is a captive portal.
  if (status < 400 || status === 408 || status >= 500) return NETWORK
  if (status === 401) return { kind: 'unauthenticated', expired: false }
  return { kind: 'rejected', code: `HTTP_${status}`, message: `The service answered with HTTP ${status}.` }
}

/** The failure that a close code of a socket stands for: docs/protocol.md of the service lists them. */
export function failureOfClose(code: number): Failure {
  switch (code) {
    case 4401:
      return { kind: 'unauthenticated', expired: false }
    case 4403:
      return { kind: 'unauthenticated', expired: true }
    case 4429:
      return { kind: 'displaced' }
    default:
      return NETWORK
  }
}

/** Whether trying the same again can help, without anybody doing anything. */
export function isTemporary({ kind }: Failure): boolean {
  return kind === 'network' || kind === 'rate-limited' || kind === 'unavailable'
}

function messageOf(failure: Failure): string {
  switch (failure.kind) {
    case 'network':
      return 'The service cannot be reached.'
    case 'rate-limited':
      return `Too many requests. Try again in ${failure.retryAfter} s.`
    case 'unavailable':
      return 'The service is temporarily unavailable.'
    case 'unauthenticated':
      return failure.expired ? 'The access token has expired.' : 'The access token is missing or not valid.'
    case 'displaced':
      return 'The user has opened the board in too many places.'
    case 'rejected':
      return failure.message
    case 'fault':
      return `An unexpected error in the service${failure.errorId === null ? '' : ` (${failure.errorId})`}.`
  }
}
