import type { LeaderboardClient } from '../client.js'
import {
  type ActionRequest,
  type ActionStarted,
  type Receipt,
  startAction,
  type StartRefusal,
  submitAction,
  type SubmitRefusal,
} from './submit.js'

/** What became of an action. */
export type PlayResult =
  | { outcome: 'paid'; receipt: Receipt; repeated: boolean }
  | { outcome: 'refused'; refusal: StartRefusal | SubmitRefusal }

/** What the player does between permission and submission. What it returns is sent as `data`. */
export type Perform = (started: ActionStarted) => unknown

/**
 * Play one action from permission to points: ask for a token, await `perform`, submit the token.
 *
 * Refusals are returned. What `perform` throws is thrown, and nothing is submitted then.
 *
 * @throws LeaderboardError if the service could not be reached. `started.actionToken`, which `perform` received, can
 *   still be submitted with `submitAction` until it expires.
 */
export async function play(
  client: LeaderboardClient,
  action: ActionRequest,
  perform: Perform = () => undefined,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<PlayResult> {
  const started = await startAction(client, action, options)
  if (started.__typename !== 'ActionTokenIssued') return { outcome: 'refused', refusal: started }
  const data = await perform(started)
  return submitAction(client, started.actionToken, { ...options, data })
}
