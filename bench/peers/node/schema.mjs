// The part of the service's schema that is measured.

import { buildSchema } from 'graphql'

export const typeDefs = `
  enum Period { ALL_TIME }
  enum UpdateKind { SNAPSHOT UPDATE }
  type User { id: ID! username: String! }
  type LeaderboardEntry { id: ID! rank: Int! score: Int! user: User! }
  type Leaderboard { id: ID! totalUsers: Int! entries: [LeaderboardEntry!]! }
  type LeaderboardUpdate { kind: UpdateKind! leaderboard: Leaderboard! }
  type UserRank { id: ID! rank: Int score: Int! totalUsers: Int! user: User! }
  interface UserError { code: String! message: String! }
  type InvalidActionToken implements UserError { code: String! message: String! }
  type ActionTokenIssued { actionToken: String! scoreValue: Int! expiresAt: String! }
  type ScoreAccepted {
    transactionId: ID! user: User! previousScore: Int! newScore: Int! scoreDelta: Int!
    previousRank: Int currentRank: Int
  }
  union IssueActionTokenResult = ActionTokenIssued | InvalidActionToken
  union SubmitScoreResult = ScoreAccepted | InvalidActionToken
  input IssueActionTokenInput { actionType: String! }
  input SubmitScoreInput { actionToken: String! }
  type Query {
    leaderboard(category: String! = "global", period: Period! = ALL_TIME, limit: Int! = 10): Leaderboard!
    userRank(userId: ID!): UserRank
  }
  type Mutation {
    issueActionToken(input: IssueActionTokenInput!): IssueActionTokenResult!
    submitScore(input: SubmitScoreInput!): SubmitScoreResult!
  }
  type Subscription { leaderboardUpdates(limit: Int! = 10): LeaderboardUpdate! }
`

export function resolvers({ scores, board }) {
  return {
    IssueActionTokenResult: { resolveType: (outcome) => (outcome.actionToken ? 'ActionTokenIssued' : 'InvalidActionToken') },
    SubmitScoreResult: { resolveType: (outcome) => (outcome.transactionId ? 'ScoreAccepted' : 'InvalidActionToken') },
    UserError: { resolveType: () => 'InvalidActionToken' },
    Query: {
      leaderboard: scores.countsQueries
        ? async (_, { limit }, { userId }) => {
            await scores.countQuery(userId)
            return board.top(limit)
          }
        : (_, { limit }) => board.top(limit),
      userRank: (_, { userId }) => scores.standing(userId),
    },
    Mutation: {
      issueActionToken: (_, { input }, { userId }) => scores.issue(userId, input.actionType),
      submitScore: (_, { input }, { userId }) => scores.submit(userId, input.actionToken),
    },
  }
}

// The same schema for graphql-ws, which executes subscriptions with graphql-js.
export function socketSchema({ board }) {
  const schema = buildSchema(typeDefs)
  const field = schema.getSubscriptionType().getFields().leaderboardUpdates
  field.subscribe = (_, { limit }) => board.updates(limit)
  field.resolve = (update) => update
  return schema
}
