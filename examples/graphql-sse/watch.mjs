// Prints the top of the board whenever it changes, over server-sent events: node watch.mjs [url]
import { createClient } from 'graphql-sse'

const client = createClient({
  url: process.argv[2] ?? 'http://127.0.0.1:8000/graphql',
  retryAttempts: Infinity,
  // After a restart all clients reconnect at once: wait a random time that grows up to 30 s.
  retry: (retries) => new Promise((done) => setTimeout(done, Math.min(30_000, 500 * 2 ** retries) * Math.random())),
})

const query = `
  subscription Watch {
    leaderboardUpdates(limit: 3) {
      kind
      leaderboard { entries { rank score user { username } } }
    }
  }
`

// The first message is a snapshot, also after every reconnect, so nothing is missed.
for await (const { data, errors } of client.iterate({ query })) {
  if (errors) throw new Error(errors[0].message)
  const { kind, leaderboard } = data.leaderboardUpdates
  const lines = leaderboard.entries.map(({ rank, score, user }) => `${rank}. ${user.username} ${score}`)
  console.log(`${kind}: ${lines.join(', ') || 'nobody yet'}`)
}
