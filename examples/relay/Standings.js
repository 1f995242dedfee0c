// The documents of standings.mjs. `relay-compiler` compiles them to __generated__; this module itself is never loaded.
import { graphql } from 'relay-runtime'

graphql`
  query StandingsQuery($category: String!, $period: Period!) {
    leaderboard(category: $category, period: $period) {
      ...Standings_board
    }
  }
`

graphql`
  fragment Standings_board on Leaderboard
  @refetchable(queryName: "StandingsPaginationQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 2 }, cursor: { type: "String" }) {
    totalUsers
    standings(first: $count, after: $cursor) @connection(key: "Standings_standings") {
      edges {
        node {
          rank
          score
          movement(since: PREVIOUS_DAY)
          user {
            username
          }
        }
      }
    }
  }
`
