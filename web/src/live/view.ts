import type { ApolloClient } from '@apollo/client'
import { type DocumentNode, print } from 'graphql'
import {
  type BoardFragment,
  type Period,
  ReadAroundDocument,
  ReadTopDocument,
  type Since,
  WatchAroundDocument,
  WatchTopDocument,
} from '../generated/graphql'

/** A stretch of a board that can be watched and, where nothing may stay open, read. */
export interface View {
  query: string
  variables: Record<string, unknown>
  /** For polling. Rejects when there is no answer. */
  read(apollo: ApolloClient): Promise<BoardFragment>
}

// The service has an ETag for what is asked with GET: an unchanged board is an empty answer.
const POLLED = { fetchPolicy: 'no-cache', context: { fetchOptions: { method: 'GET' } } } as const

/** What ranks are compared with: the end of the last day, week or month. */
export const SINCE: Record<Period, Since> = {
  ALL_TIME: 'PREVIOUS_DAY',
  DAILY: 'PREVIOUS_DAY',
  WEEKLY: 'PREVIOUS_WEEK',
  MONTHLY: 'PREVIOUS_MONTH',
}

const printed = (document: DocumentNode): string => print(document)

/** The first entries of the open board. */
export function topView(category: string, period: Period, limit: number): View {
  const variables = { category, period, limit }
  return {
    query: printed(WatchTopDocument),
    variables: { ...variables, since: SINCE[period] },
    async read(apollo) {
      const { data } = await apollo.query({ query: ReadTopDocument, variables, ...POLLED })
      return present(data).leaderboard
    },
  }
}

/** A user among their neighbours on the open board. */
export function aroundView(category: string, period: Period, userId: string, radius: number): View {
  const variables = { category, period, userId, radius }
  return {
    query: printed(WatchAroundDocument),
    variables,
    async read(apollo) {
      const { data } = await apollo.query({ query: ReadAroundDocument, variables, ...POLLED })
      const { around, ...board } = present(data).leaderboard
      return { ...board, entries: around }
    },
  }
}

function present<T>(data: T | undefined): T {
  if (data === undefined) throw new Error('an answer without data')
  return data
}
