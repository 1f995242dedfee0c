import { createGraphiQLFetcher, type Fetcher, type FetcherParams } from '@graphiql/toolkit'
import { type DocumentNode, type ExecutionResult, getOperationAST, Kind, OperationTypeNode, parse } from 'graphql'
import { createClient } from 'graphql-ws'
import { reasonOf } from './closing'

const overHttp = createGraphiQLFetcher({ url: '/graphql', enableIncrementalDelivery: false })

/**
 * Queries and mutations over HTTP, subscriptions over `graphql-transport-ws`. The headers of the pane go along either
 * way: a browser cannot set headers on a socket, so there they are the payload of `connection_init`.
 */
export const fetcher: Fetcher = (params, options) => {
  const document = parsed(params.query)
  if (document === null) return overHttp(params, options)
  const named = { ...params, operationName: nameIn(document, params.operationName) }
  const operation = getOperationAST(document, named.operationName)
  return operation?.operation === OperationTypeNode.SUBSCRIPTION
    ? subscribe(named, options?.headers ?? {})
    : overHttp(named, options)
}

/** What cannot be parsed is left for the service to explain. */
function parsed(query: string): DocumentNode | null {
  try {
    return parse(query)
  } catch {
    return null
  }
}

/** After a change of tabs the editor may still name the operation of the tab before. A lone operation needs no name. */
function nameIn(document: DocumentNode, name: string | null | undefined): string | null {
  const operations = document.definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
  return operations.length === 1 ? (operations[0]?.name?.value ?? null) : (name ?? null)
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
