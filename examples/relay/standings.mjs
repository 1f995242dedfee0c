// Prints a board page by page from Relay's store: npx relay-compiler, then node standings.mjs [url]
import {
  createOperationDescriptor,
  Environment,
  fetchQuery,
  getSingularSelector,
  Network,
  RecordSource,
  Store,
} from 'relay-runtime'
import StandingsPaginationQuery from './__generated__/StandingsPaginationQuery.graphql.js'
import StandingsQuery from './__generated__/StandingsQuery.graphql.js'
import Standings_board from './__generated__/Standings_board.graphql.js'

const url = process.argv[2] ?? 'http://127.0.0.1:8000/graphql'

const environment = new Environment({
  network: Network.create(async ({ text }, variables) => {
    const headers = { 'content-type': 'application/json', accept: 'application/graphql-response+json' }
    const body = JSON.stringify({ query: text, variables })
    return (await fetch(url, { method: 'POST', headers, body })).json()
  }),
  store: new Store(new RecordSource()),
})

// `usePaginationFragment` does the rest of this module in a React component.
const operation = createOperationDescriptor(StandingsQuery, { category: 'global', period: 'ALL_TIME' })
environment.retain(operation)
const { leaderboard } = await fetchQuery(environment, StandingsQuery, operation.request.variables).toPromise()
const selector = getSingularSelector(Standings_board, leaderboard)

for (;;) {
  const { totalUsers, standings, id } = environment.lookup(selector).data
  const lines = standings.edges.map(({ node }) => `${node.rank}. ${node.user.username} ${node.score}`)
  console.log(`${lines.length} of ${totalUsers}: ${lines.join(', ')}`)
  if (!standings.pageInfo.hasNextPage) break
  const variables = { id, count: 2, cursor: standings.pageInfo.endCursor }
  await fetchQuery(environment, StandingsPaginationQuery, variables).toPromise()
}
