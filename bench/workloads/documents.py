"""The documents that all subjects execute, identical for all."""

from __future__ import annotations

BOARD = """
query Board($category: String!, $period: Period!, $limit: Int!) {
  leaderboard(category: $category, period: $period, limit: $limit) {
    id
    totalUsers
    entries { id rank score user { id username } }
  }
}
"""

RANK = """
query Rank($userId: ID!) {
  userRank(userId: $userId) { id rank score totalUsers user { id username } }
}
"""

ISSUE = """
mutation Issue($input: IssueActionTokenInput!) {
  issueActionToken(input: $input) {
    __typename
    ... on ActionTokenIssued { actionToken scoreValue expiresAt }
    ... on UserError { code message }
  }
}
"""

SUBMIT = """
mutation Submit($input: SubmitScoreInput!) {
  submitScore(input: $input) {
    __typename
    ... on ScoreAccepted { transactionId previousScore newScore scoreDelta previousRank currentRank user { id } }
    ... on UserError { code message }
  }
}
"""

RECORD = """
mutation Record($input: RecordActionInput!) {
  recordAction(input: $input) {
    __typename
    ... on ScoreAccepted { transactionId previousScore newScore scoreDelta previousRank currentRank user { id } }
    ... on UserError { code message }
  }
}
"""

RECORD_MANY = """
mutation RecordMany($inputs: [RecordActionInput!]!) {
  recordActions(inputs: $inputs) {
    __typename
    ... on ScoreAccepted { transactionId previousScore newScore scoreDelta previousRank currentRank user { id } }
    ... on UserError { code message }
  }
}
"""

# `entries` come first, so that the first score in a message is the leader's: by it receivers tell the messages apart.
UPDATES = """
subscription Updates($limit: Int!) {
  leaderboardUpdates(limit: $limit) {
    leaderboard { entries { score id rank user { id username } } totalUsers }
    kind
  }
}
"""

ACTION = "COMPLETE_LEVEL"
POINTS = 50
"""The points of `ACTION`."""
