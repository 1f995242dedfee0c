import type { ApolloClient } from '@apollo/client'
import { type Problem, problemOf } from '../api/problem'
import { IssueActionTokenDocument, type ReadActionsQuery, SubmitScoreDocument } from '../generated/graphql'

export type Action = ReadActionsQuery['actions'][number]

/** How far one action has come, from permission to points. */
export type Progress =
  | { step: 'asking' }
  | { step: 'playing'; token: string; worth: number; until: number }
  | { step: 'submitting'; token: string; worth: number }
  | { step: 'paid'; gain: number; score: number; before: number | null; rank: number | null }
  | { step: 'refused'; message: string; until: number | null }
  | { step: 'failed'; problem: Problem; at: number }

const MIN_PLAY_MS = 700

/**
 * The whole life of one action, as a game would do it: ask for permission, play, hand the permission in. Reports every
 * step and never rejects.
 */
export async function playAction(
  apollo: ApolloClient,
  action: Action,
  difficulty: string | null,
  report: (progress: Progress) => void,
): Promise<void> {
  try {
    report({ step: 'asking' })
    const input = { actionType: action.actionType, difficulty }
    const issued = (await apollo.mutate({ mutation: IssueActionTokenDocument, variables: { input } })).data
      ?.issueActionToken
    if (issued === undefined) return
    if (issued.__typename !== 'ActionTokenIssued') {
      report({ step: 'refused', message: issued.message, until: null })
      return
    }
    const { actionToken: token, scoreValue } = issued
    const worth = scoreValue ?? 0 // Only actions with fixed points are shown.
    const length = Math.max(MIN_PLAY_MS, action.minDuration * 1000 + 250)
    report({ step: 'playing', token, worth, until: Date.now() + length })
    await new Promise((done) => setTimeout(done, length))
    report({ step: 'submitting', token, worth })
    report(await submit(apollo, token))
  } catch (error) {
    report({ step: 'failed', problem: problemOf(error), at: Date.now() })
  }
}

async function submit(apollo: ApolloClient, actionToken: string): Promise<Progress> {
  const { data } = await apollo.mutate({ mutation: SubmitScoreDocument, variables: { input: { actionToken } } })
  if (data === undefined) throw new Error('an answer without data')
  const outcome = data.submitScore
  if (outcome.__typename === 'ScoreAccepted') {
    const { scoreDelta, newScore, previousRank, currentRank } = outcome
    return { step: 'paid', gain: scoreDelta, score: newScore, before: previousRank ?? null, rank: currentRank ?? null }
  }
  const until = 'retryAfter' in outcome ? Date.now() + outcome.retryAfter * 1000 : null
  return { step: 'refused', message: outcome.message, until }
}
