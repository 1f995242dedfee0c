import { ApolloClient, ApolloLink, InMemoryCache } from '@apollo/client'
import { SetContextLink } from '@apollo/client/link/context'
import { HttpLink } from '@apollo/client/link/http'
import { possibleTypes } from '../generated/possibleTypes'

/**
 * The client for queries and mutations. Every id of the service is stable and global, so the cache needs nothing
 * but the members of interfaces and unions. Subscriptions do not go through Apollo Client: see `live/`.
 */
export function createApollo(authorization: () => string | null): ApolloClient {
  const withAuth = new SetContextLink((context) => {
    const value = authorization()
    const headers = context.headers as Record<string, string> | undefined
    return { headers: value === null ? headers : { ...headers, authorization: value } }
  })
  return new ApolloClient({
    link: ApolloLink.from([withAuth, new HttpLink({ uri: '/graphql' })]),
    cache: new InMemoryCache({ possibleTypes }),
  })
}
