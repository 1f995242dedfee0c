// Made from schema.graphql: the members of its interfaces and unions. A test keeps the two equal.
export const possibleTypes = {
  "IssueActionTokenResult": [
    "ActionTokenIssued",
    "InvalidAction"
  ],
  "Node": [
    "Action",
    "CatalogueChange",
    "Category",
    "Flag",
    "HeldScore",
    "Leaderboard",
    "LeaderboardEntry",
    "PlayerProfile",
    "Transaction",
    "User",
    "UserRank",
    "Viewer"
  ],
  "RetryableError": [
    "CooldownActive",
    "DailyLimitReached",
    "TooEarly"
  ],
  "SubmitScoreResult": [
    "ActionTokenExpired",
    "ActionTokenNotYours",
    "ActionTokenUsed",
    "AlreadyCompleted",
    "CooldownActive",
    "DailyLimitReached",
    "DuplicateAction",
    "InvalidAction",
    "InvalidActionToken",
    "InvalidSignature",
    "ScoreAccepted",
    "ScoreCapReached",
    "StaleTimestamp",
    "TooEarly",
    "UnderReview",
    "VerificationFailed"
  ],
  "UserError": [
    "ActionTokenExpired",
    "ActionTokenNotYours",
    "ActionTokenUsed",
    "AlreadyCompleted",
    "CooldownActive",
    "DailyLimitReached",
    "DuplicateAction",
    "InvalidAction",
    "InvalidActionToken",
    "InvalidSignature",
    "ScoreCapReached",
    "StaleTimestamp",
    "TooEarly",
    "UnderReview",
    "VerificationFailed"
  ]
}
