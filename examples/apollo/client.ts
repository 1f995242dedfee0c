import { ApolloClient, ApolloLink, CombinedGraphQLErrors, InMemoryCache } from '@apollo/client'
import { SetContextLink } from '@apollo/client/link/context'
import { ErrorLink } from '@apollo/client/link/error'
import { HttpLink } from '@apollo/client/link/http'
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions'
import { OperationTypeNode } from 'graphql'
import { createClient } from 'graphql-ws'
import type { Tokens } from './tokens'

const authorized = async (tokens: Tokens): Promise<Record<string, string>> => {
  const token = await tokens.fresh()
  return token === null ? {} : { authorization: `Bearer ${token}` }
}

/** Subscriptions: one socket, for ever. */
function liveLink(url: string, tokens: Tokens): ApolloLink {
  const socket = createClient({
    url: `${url.replace(/^http/, 'ws')}/graphql`,
    // Called on every connect, so a new socket speaks with a new token.
    connectionParams: () => authorized(tokens),
    on: {
      // 4403: the token has expired. The client comes back by itself, and must not bring the same one.
      closed: (event) => {
        if ((event as CloseEvent).code === 4403) tokens.discard()
      },
    },
    shouldRetry: () => true,
    retryAttempts: Infinity,
    // After a restart everybody comes back at the same moment: wait at random, and longer every time.
    retryWait: (retries) =>
      new Promise((done) => setTimeout(done, Math.min(30_000, 500 * 2 ** retries) * (0.5 + Math.random()))),
    keepAlive: 10_000,
  })
  return new GraphQLWsLink(socket)
}

/** The hash by which the service knows a document after it has seen it once. */
async function sha256(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Queries and mutations: persisted queries by GET, which caches along the way can answer. */
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
  // The header tells the service that a script sends this, and not a form on somebody else's page.
  const http = new HttpLink({ uri: `${url}/graphql`, headers: { 'apollo-require-preflight': 'true' } })
  return ApolloLink.from([renewed, signed, persisted, http])
}

/** A client for the service at `url`. The cache needs no configuration: ids are stable and global. */
export function createBoardClient(url: string, tokens: Tokens): ApolloClient {
  return new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      liveLink(url, tokens),
      requestLink(url, tokens),
    ),
  })
}
