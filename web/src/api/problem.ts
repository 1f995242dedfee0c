import { CombinedGraphQLErrors, ServerError } from '@apollo/client/errors'

/** Why something did not work, in the terms in which the page reacts. Times are in seconds. */
export type Problem =
  | { kind: 'network' }
  | { kind: 'limited'; retryAfter: number }
  | { kind: 'signed-out'; expired: boolean }
  | { kind: 'displaced' }
  | { kind: 'unavailable'; retryAfter: number }
  | { kind: 'refused'; code: string; message: string }
  | { kind: 'fault'; errorId: string | null }

interface GraphQLProblem {
  message: string
  extensions?: Record<string, unknown> | undefined
}

const NETWORK: Problem = { kind: 'network' }
const DEFAULT_WAIT = 5

/** What a client should make of the first error of an answer. */
export function problemOfErrors(errors: readonly GraphQLProblem[]): Problem {
  const { message, extensions = {} } = errors[0] ?? { message: '' }
  const retryAfter = typeof extensions.retryAfter === 'number' ? extensions.retryAfter : DEFAULT_WAIT
  switch (extensions.code) {
    case 'RATE_LIMITED':
      return { kind: 'limited', retryAfter }
    case 'UNAUTHENTICATED':
      return { kind: 'signed-out', expired: extensions.reason === 'TOKEN_EXPIRED' }
    case 'SERVICE_UNAVAILABLE':
      return { kind: 'unavailable', retryAfter }
    case 'INTERNAL_SERVER_ERROR':
      return { kind: 'fault', errorId: typeof extensions.errorId === 'string' ? extensions.errorId : null }
    default:
      return { kind: 'refused', code: typeof extensions.code === 'string' ? extensions.code : 'UNKNOWN', message }
  }
}

/** What the close code of a socket asks for. See docs/protocol.md. */
export function problemOfClose(code: number): Problem {
  switch (code) {
    case 4401:
      return { kind: 'signed-out', expired: false }
    case 4403:
      return { kind: 'signed-out', expired: true }
    case 4429:
      return { kind: 'displaced' }
    default:
      return NETWORK
  }
}

/** The problem behind anything that was thrown on the way to the service and back. */
export function problemOf(error: unknown): Problem {
  if (CombinedGraphQLErrors.is(error)) return problemOfErrors(error.errors)
  if (ServerError.is(error))
    return error.statusCode >= 500 ? { kind: 'unavailable', retryAfter: DEFAULT_WAIT } : NETWORK
  if (Array.isArray(error)) return problemOfErrors(error as GraphQLProblem[])
  if (error instanceof CloseEvent) return problemOfClose(error.code)
  return NETWORK
}
