import type { LeaderboardClient } from '../client.js'
import {
  ReadActionsDocument,
  type ReadActionsQuery,
  ReadCategoriesDocument,
  type ReadCategoriesQuery,
} from '../generated/operations.js'
import { execute, type ExecuteOptions } from '../requests/execute.js'

/** Something that players can complete for points. */
export type Action = ReadActionsQuery['actions'][number]

/** A set of boards, one for each of its `periods`. */
export type Category = ReadCategoriesQuery['categories'][number]

/** Return the actions that can be played, of all categories or of one. */
export async function readActions(
  client: LeaderboardClient,
  { category, ...options }: ExecuteOptions & { category?: string } = {},
): Promise<Action[]> {
  return (await execute(client, ReadActionsDocument, { category }, options)).actions
}

/** Return all categories. */
export async function readCategories(client: LeaderboardClient, options: ExecuteOptions = {}): Promise<Category[]> {
  return (await execute(client, ReadCategoriesDocument, {}, options)).categories
}
