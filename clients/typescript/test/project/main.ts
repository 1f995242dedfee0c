import { type Board, LeaderboardClient, play, type PlayResult, watchBoard } from 'leaderboard-client'

const [url = 'http://127.0.0.1:8000/graphql', token = null] = process.argv.slice(2)
const client = new LeaderboardClient({ url, accessToken: () => token })

function textOf(board: Board): string {
  return board.entries.map((entry) => `${entry.rank}. ${entry.user.username} ${entry.score}`).join(', ') || 'nobody'
}

/** Every refusal is told apart by its name, and has the fields of its kind. */
function textOfResult(result: PlayResult): string {
  if (result.outcome === 'paid') return `${result.receipt.scoreDelta} points, ${result.receipt.newScore} in all`
  switch (result.refusal.__typename) {
    case 'TooEarly':
    case 'CooldownActive':
    case 'DailyLimitReached':
      return `again in ${result.refusal.retryAfter} s`
    default:
      return result.refusal.message
  }
}

const watch = watchBoard(client, { limit: 3 }, async ({ board }) => {
  if (board.entries.length > 0) {
    console.log(`after: ${textOf(board)}`)
    watch.close()
    return
  }
  console.log(`before: ${textOf(board)}`)
  console.log(textOfResult(await play(client, { actionType: 'COMPLETE_LEVEL' })))
})
