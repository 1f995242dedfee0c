// Plays actions one after the other, and prints every request, and what became of each action.
// { url, tokens: [], actions: [{}], lost?: number, maxRetryAfter?: number }
import { LeaderboardClient, LeaderboardError, play } from 'leaderboard-client'
import { options, report, tokensInTurn } from './report.mjs'

const { url, tokens, actions, lost = 0, maxRetryAfter = 60 } = options
let remaining = lost

/** The answers to the first submissions get lost on their way back. */
async function fetchAndLose(input, init) {
  const { query, variables } = JSON.parse(init.body)
  const [, operation] = /^\w+ (\w+)/.exec(query)
  const response = await fetch(input, init)
  const { errors } = await response.clone().json()
  const token = variables.input.actionToken
  report({ operation, token, at: performance.now(), refusal: errors?.[0].extensions ?? null })
  if (operation === 'SubmitScore' && remaining-- > 0) throw new TypeError('lost')
  return response
}

const client = new LeaderboardClient({ url, accessToken: tokensInTurn(tokens), fetch: fetchAndLose, maxRetryAfter })
for (const action of actions) {
  try {
    report(await play(client, action, () => ({ level: 1 })))
  } catch (error) {
    if (!(error instanceof LeaderboardError)) throw error
    report({ outcome: 'failed', failure: error.failure })
  }
}
