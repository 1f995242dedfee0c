import { createGraphiQLFetcher, type Fetcher, type FetcherOpts, type FetcherParams } from '@graphiql/toolkit'
import { type ExecutionResult, getOperationAST } from 'graphql'
import { createClient } from 'graphql-ws'
import { reasonOf } from './closing'

const overHttp = createGraphiQLFetcher({ url: '/graphql', enableIncrementalDelivery: false })

/**
 * Queries and mutations over HTTP, subscriptions over `graphql-transport-ws`. The headers of the pane go along either
 * way: a browser cannot set headers on a socket, so there they are the payload of `connection_init`.
 */
export const fetcher: Fetcher = (params, options) =>
  isSubscription(params, options) ? subscribe(params, options?.headers ?? {}) : overHttp(params, options)

function isSubscription({ operationName }: FetcherParams, options?: FetcherOpts): boolean {
  const document = options?.documentAST
  return document !== undefined && getOperationAST(document, operationName)?.operation === 'subscription'
}

/** A socket for each subscription: the headers may be others the next time. */
async function* subscribe(
  { query, variables, operationName }: FetcherParams,
  headers: Record<string, unknown>,
): AsyncGenerator<ExecutionResult> {
  const client = createClient({
    url: `${location.origin.replace(/^http/, 'ws')}/graphql`,
    connectionParams: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
  })
  try {
    const request = { query, variables: variables as Record<string, unknown>, operationName: operationName ?? null }
    // Errors are formatted when they come over the wire; GraphiQL only prints them.
    for await (const result of client.iterate(request)) yield result as ExecutionResult
  } catch (error) {
    throw error instanceof CloseEvent ? new Error(reasonOf(error)) : error
  } finally {
    await client.dispose()
  }
}
