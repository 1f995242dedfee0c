import type { LeaderboardClient } from '../client.js'
import type { Document } from './document.js'
import { failureOfErrors, failureOfResponse, type GraphQLFailure, LeaderboardError, NETWORK } from './failure.js'

const ACCEPT = 'application/graphql-response+json, application/json'

export interface Request<Data, Variables> {
  document: Document<Data, Variables>
  variables: Variables
  token: string | null
  signal?: AbortSignal | undefined
  /** GET, for queries only, is answered by HTTP caches and with an `ETag`. */
  method?: 'GET' | 'POST'
}

export interface Result<Data> {
  data?: Data | null
  errors?: readonly GraphQLFailure[]
}

/**
 * Send an operation once and return its data.
 *
 * @throws LeaderboardError if there is no answer within `requestTimeout`, or an answer with errors; the reason of
 *   `signal` if it is aborted.
 */
export async function send<Data, Variables>(
  client: LeaderboardClient,
  request: Request<Data, Variables>,
): Promise<Data> {
  const { signal } = request
  signal?.throwIfAborted()
  const abort = new AbortController()
  const onAbort = () => abort.abort()
  const timeout = setTimeout(onAbort, client.requestTimeout)
  signal?.addEventListener('abort', onAbort)
  try {
    const response = await client.fetch(...fetchArguments(client, request, abort.signal))
    return dataOf(await resultOf<Data>(response))
  } catch (error) {
    signal?.throwIfAborted()
    throw error instanceof LeaderboardError ? error : new LeaderboardError(NETWORK, { cause: error })
  } finally {
    clearTimeout(timeout)
    signal?.removeEventListener('abort', onAbort)
  }
}

export function authorization(token: string | null): { authorization?: string } {
  return token === null ? {} : { authorization: `Bearer ${token}` }
}

function fetchArguments<Data, Variables>(
  client: LeaderboardClient,
  { document: query, variables, token, method = 'POST' }: Request<Data, Variables>,
  signal: AbortSignal,
): [URL, RequestInit] {
  const headers = { accept: ACCEPT, ...authorization(token) }
  if (method === 'POST') {
    const body = JSON.stringify({ query, variables })
    return [client.url, { method, headers: { ...headers, 'content-type': 'application/json' }, body, signal }]
  }
  const url = new URL(client.url)
  url.searchParams.set('query', query)
  url.searchParams.set('variables', JSON.stringify(variables))
  // The header proves to the service that a script sent this, and not a link on another site.
  return [url, { method, headers: { ...headers, 'apollo-require-preflight': 'true' }, cache: 'no-cache', signal }]
}

/** The GraphQL result in a response, whatever its status. */
export async function resultOf<Data>(response: Response): Promise<Result<Data>> {
  const text = await response.text()
  try {
    const result = JSON.parse(text) as Result<Data> | null
    if (Array.isArray(result?.errors) || (response.ok && result?.data != null)) return result as Result<Data>
  } catch {
    // Not JSON: a page of a proxy.
  }
  throw new LeaderboardError(failureOfResponse(response))
}

function dataOf<Data>({ data, errors }: Result<Data>): Data {
  if (errors !== undefined && errors.length > 0) throw new LeaderboardError(failureOfErrors(errors))
  if (data == null) throw new LeaderboardError(NETWORK)
  return data
}
