// Made from schema.graphql: the members of its interfaces and unions. A test keeps the two equal.
export const possibleTypes = {
  "IssueActionTokenResult": [
    "ActionTokenIssued",
    "AlreadyCompleted",
    "CooldownActive",
    "DailyLimitReached",
    "InvalidAction",
    "ServerOnlyAction"
  ],
  "RecordActionResult": [
    "AlreadyCompleted",
    "CooldownActive",
    "DailyLimitReached",
    "InvalidAction",
    "ScoreAccepted",
    "ScoreCapReached"
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
    "InvalidAction",
    "InvalidActionToken",
    "ScoreAccepted",
    "ScoreCapReached",
    "ServerOnlyAction",
    "TooEarly",
    "UnderReview",
    "VerificationFailed"
  ],
  "SubmitSignedActionResult": [
    "AlreadyCompleted",
    "CooldownActive",
    "DailyLimitReached",
    "DuplicateAction",
    "InvalidAction",
    "InvalidSignature",
    "ScoreAccepted",
    "ScoreCapReached",
    "ServerOnlyAction",
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
    "ServerOnlyAction",
    "StaleTimestamp",
    "TooEarly",
    "UnderReview",
    "VerificationFailed"
  ]
}
