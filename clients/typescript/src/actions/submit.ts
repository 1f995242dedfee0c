import type { LeaderboardClient } from '../client.js'
import {
  IssueActionTokenDocument,
  type IssueActionTokenInput,
  type IssueActionTokenMutation,
  type ReceiptFragment,
  SubmitScoreDocument,
  type SubmitScoreMutation,
} from '../generated/operations.js'
import { notBefore, wait } from '../requests/backoff.js'
import { execute } from '../requests/execute.js'

/** An action to start: `actionType`, and where the action has them, `difficulty`; `metadata` is stored with the token. */
export type ActionRequest = IssueActionTokenInput

type StartOutcome = IssueActionTokenMutation['issueActionToken']
type SubmitOutcome = SubmitScoreMutation['submitScore']

/** The permission to submit one action once, and when it expires. */
export type ActionStarted = Extract<StartOutcome, { __typename: 'ActionTokenIssued' }>

/** Why an action cannot be started, told apart by `__typename`. Later versions of the service may have more reasons. */
export type StartRefusal = Exclude<StartOutcome, ActionStarted>

/** Why no points were paid, told apart by `__typename`. Later versions of the service may have more reasons. */
export type SubmitRefusal = Exclude<SubmitOutcome, { __typename: 'ScoreAccepted' | 'ActionTokenUsed' }>

/** The points that were paid. */
export type Receipt = ReceiptFragment

/** What became of a submission. Refusals are values; `LeaderboardError` is thrown if there is no outcome at all. */
export type Submission =
  /** `repeated`: the token had paid before, for example because the first answer was lost; the ranks are null then. */
  { outcome: 'paid'; receipt: Receipt; repeated: boolean } | { outcome: 'refused'; refusal: SubmitRefusal }

export interface SubmitOptions {
  /** Any JSON about the completion, up to 8 KiB, with which the game can verify it. */
  data?: unknown
  /** Ends the waiting and the retries. The points may have been paid all the same. */
  signal?: AbortSignal | undefined
}

const MAX_ATTEMPTS = 10
const MAX_EARLY = 3

/** Ask for permission to start an action. Call it before the action begins. */
export async function startAction(
  client: LeaderboardClient,
  input: ActionRequest,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<ActionStarted | StartRefusal> {
  // A token whose answer was lost is never used, and expires.
  const { issueActionToken } = await execute(client, IssueActionTokenDocument, { input }, { signal, repeatable: true })
  return issueActionToken
}

/**
 * Submit a completed action and return what became of it.
 *
 * A lost answer, a restart, a rate limit and `TooEarly` are waited for (up to `maxRetryAfter`, for about a minute in
 * all), always with the same token: it pays once, and a repetition returns the first receipt.
 *
 * @throws LeaderboardError if the service could not be reached. The token is still good until it expires: submit it
 *   again.
 */
export async function submitAction(
  client: LeaderboardClient,
  actionToken: string,
  { data, signal }: SubmitOptions = {},
): Promise<Submission> {
  const variables = { input: { actionToken, data } }
  const options = { signal, repeatable: true, maxAttempts: MAX_ATTEMPTS }
  for (let early = 0; ; early++) {
    const { submitScore: result } = await execute(client, SubmitScoreDocument, variables, options)
    if (result.__typename === 'ScoreAccepted') return { outcome: 'paid', receipt: result, repeated: false }
    if (result.__typename === 'ActionTokenUsed') return { outcome: 'paid', receipt: result.receipt, repeated: true }
    const isEarly = result.__typename === 'TooEarly' && result.retryAfter <= client.maxRetryAfter
    if (!isEarly || early === MAX_EARLY) return { outcome: 'refused', refusal: result }
    await wait(notBefore(result.retryAfter), signal)
  }
}
