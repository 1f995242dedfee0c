// Prints the top of the board from urql's normalised cache whenever it changes: node watch.mjs [url]
import { createClient, fetchExchange, gql, subscriptionExchange } from '@urql/core'
import { cacheExchange } from '@urql/exchange-graphcache'
import { createClient as createSocket } from 'graphql-ws'
import { keys } from './keys.mjs'

const url = process.argv[2] ?? 'http://127.0.0.1:8000/graphql'

const socket = createSocket({
  url: url.replace(/^http/, 'ws'),
  retryAttempts: Infinity,
  shouldRetry: () => true,
  retryWait: (retries) => new Promise((done) => setTimeout(done, Math.min(30_000, 500 * 2 ** retries) * Math.random())),
})

const client = createClient({
  url,
  preferGetMethod: false,
  exchanges: [
    cacheExchange({ keys }),
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: ({ query, variables }) => ({
        subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: query ?? '', variables }, sink) }),
      }),
    }),
  ],
})

const BOARD = gql`
  fragment Board on Leaderboard {
    id
    totalUsers
    entries { id rank score user { id username } }
  }
`
const READ = gql`
  query Read { leaderboard(limit: 3) { ...Board } }
  ${BOARD}
`
const WATCH = gql`
  subscription Watch { leaderboardUpdates(limit: 3) { kind leaderboard { ...Board } } }
  ${BOARD}
`

// Query and subscription return the same ids, so every message updates the result of the query.
client.query(READ, {}).subscribe(({ data, error }) => {
  if (error) throw error
  const { entries, totalUsers } = data.leaderboard
  const lines = entries.map(({ rank, score, user }) => `${rank}. ${user.username} ${score}`)
  console.log(`${totalUsers} players: ${lines.join(', ') || 'nobody yet'}`)
})
client.subscription(WATCH, {}).subscribe(({ error }) => {
  if (error) throw error
})
