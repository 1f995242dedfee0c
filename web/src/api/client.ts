import { ApolloClient, ApolloLink, InMemoryCache } from '@apollo/client'
import { SetContextLink } from '@apollo/client/link/context'
import { HttpLink } from '@apollo/client/link/http'

/**
 * The client for queries and mutations. The cache needs no configuration: every id of the service is stable and
 * global. Subscriptions have their own way, in `live/`, because they change their transport when they must.
 */
export function createApollo(authorization: () => string | null): ApolloClient {
  const signed = new SetContextLink(({ headers }) => {
    const value = authorization()
    return { headers: value === null ? headers : { ...headers, authorization: value } }
  })
  return new ApolloClient({
    link: ApolloLink.from([signed, new HttpLink({ uri: '/graphql' })]),
    cache: new InMemoryCache(),
  })
}
