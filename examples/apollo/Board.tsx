import { gql, type TypedDocumentNode } from '@apollo/client'
import { useQuery, useSubscription } from '@apollo/client/react'
import { byRank } from './byRank'
import { useRefetchAfter } from './useRefetchAfter'

interface Entry {
  id: string
  rank: number
  score: number
  user: { id: string; username: string }
}

interface Leaderboard {
  id: string
  endsAt: string | null
  totalUsers: number
  entries: Entry[]
}

interface Variables {
  category: string
  period: string
}

const BOARD = gql`
  fragment Board on Leaderboard {
    id endsAt totalUsers
    entries { id rank score user { id username } }
  }
`

const READ: TypedDocumentNode<{ leaderboard: Leaderboard }, Variables> = gql`
  query Read($category: String!, $period: Period!) {
    leaderboard(category: $category, period: $period) { ...Board }
  }
  ${BOARD}
`

const WATCH: TypedDocumentNode<{ leaderboardUpdates: { leaderboard: Leaderboard } }, Variables> = gql`
  subscription Watch($category: String!, $period: Period!) {
    leaderboardUpdates(category: $category, period: $period) { leaderboard { ...Board } }
  }
  ${BOARD}
`

/** The top of a board, live. Query and subscription return the same ids, so the cache updates the query's result. */
export function Board(variables: Variables) {
  const { data, error, refetch } = useQuery(READ, { variables })
  useSubscription(WATCH, { variables, ignoreResults: true })
  useRefetchAfter(data?.leaderboard.endsAt, refetch)
  if (error) return <p role="alert">{error.message}</p>
  if (!data) return <p>Loading…</p>
  return (
    <ol aria-label={`${data.leaderboard.totalUsers} players`}>
      {byRank(data.leaderboard.entries).map(({ id, score, user }) => (
        <li key={id}>{user.username}: {score}</li>
      ))}
    </ol>
  )
}
