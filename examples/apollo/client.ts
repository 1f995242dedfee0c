import { ApolloClient, ApolloLink, CombinedGraphQLErrors, InMemoryCache, ServerError } from '@apollo/client'
import { SetContextLink } from '@apollo/client/link/context'
import { ErrorLink } from '@apollo/client/link/error'
import { HttpLink } from '@apollo/client/link/http'
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries'
import { RetryLink } from '@apollo/client/link/retry'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions'
import { OperationTypeNode } from 'graphql'
import { createClient, type Client } from 'graphql-ws'
import { map } from 'rxjs'
import { possibleTypes } from './possibleTypes'
import type { Tokens } from './tokens'

const authorized = async (tokens: Tokens): Promise<Record<string, string>> => {
  const token = await tokens.fresh()
  return token === null ? {} : { authorization: `Bearer ${token}` }
}

/** The WebSocket client for subscriptions. It reconnects for as long as the page is open. */
function createSocket(url: string, tokens: Tokens): Client {
  return createClient({
    url: `${url.replace(/^http/, 'ws')}/graphql`,
    // Called on every connect, so that every new socket uses a fresh token.
    connectionParams: () => authorized(tokens),
    on: {
      // 4403: the token has expired. The client reconnects by itself and must send a new one.
      closed: (event) => {
        if ((event as CloseEvent).code === 4403) tokens.discard()
      },
    },
    shouldRetry: () => true,
    retryAttempts: Infinity,
    // After a restart all clients reconnect at once: wait a random time that grows up to 30 s.
    retryWait: (retries) =>
      new Promise((done) => setTimeout(done, Math.min(30_000, 500 * 2 ** retries) * (0.5 + Math.random() / 2))),
    keepAlive: 10_000,
  })
}

/** The hash that identifies a persisted query. */
async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** For how many seconds the service asks to wait, in an error with `extensions.retryAfter`. */
const retryAfter = (error: unknown): number =>
  CombinedGraphQLErrors.is(error) ? Math.max(0, ...error.errors.map((one) => Number(one.extensions?.retryAfter ?? 0))) : 0

/** Repeats what failed for a passing reason: no connection, 5xx of a proxy, or SERVICE_UNAVAILABLE. */
function retryLink(): ApolloLink {
  // RetryLink sees thrown errors only, and Apollo Client takes an answer with errors for a result.
  const unavailable = new ApolloLink((operation, forward) =>
    forward(operation).pipe(
      map((result) => {
        if (result.errors?.some(({ extensions }) => extensions?.code === 'SERVICE_UNAVAILABLE')) {
          throw new CombinedGraphQLErrors(result)
        }
        return result
      }),
    ),
  )
  const retry = new RetryLink({
    // Mutations of the service are safe to repeat: a submission pays once.
    attempts: { max: 5, retryIf: (error) => !ServerError.is(error) || error.statusCode >= 500 },
    delay: (count, _, error) =>
      Math.max(1000 * retryAfter(error), Math.min(10_000, 250 * 2 ** count) * (0.5 + Math.random() / 2)),
  })
  return ApolloLink.from([retry, unavailable])
}

/** Queries and mutations over HTTP. Persisted queries are sent by GET, so that HTTP caches can answer them. */
function requestLink(url: string, tokens: Tokens): ApolloLink {
  const renewed = new ErrorLink(({ error, operation, forward }) => {
    const hasExpired =
      CombinedGraphQLErrors.is(error) && error.errors.some(({ extensions }) => extensions?.reason === 'TOKEN_EXPIRED')
    if (!hasExpired || operation.getContext().isRetry === true) return
    tokens.discard()
    operation.setContext({ isRetry: true })
    return forward(operation)
  })
  const signed = new SetContextLink(async ({ headers }) => ({ headers: { ...headers, ...(await authorized(tokens)) } }))
  const persisted = new PersistedQueryLink({ sha256, useGETForHashedQueries: true })
  // A cross-origin GET needs this header, which proves that a script sent it and not an HTML form.
  const http = new HttpLink({ uri: `${url}/graphql`, headers: { 'apollo-require-preflight': 'true' } })
  return ApolloLink.from([renewed, retryLink(), signed, persisted, http])
}

/** A client for the service at `url`, and its socket: call `socket.terminate()` when a user signs in or out. */
export function createBoardClient(url: string, tokens: Tokens): { client: ApolloClient; socket: Client } {
  const socket = createSocket(url, tokens)
  const client = new ApolloClient({
    cache: new InMemoryCache({ possibleTypes }),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(socket),
      requestLink(url, tokens),
    ),
  })
  return { client, socket }
}
