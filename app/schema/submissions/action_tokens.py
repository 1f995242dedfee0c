"""Action tokens: inputs and results of the mutations that issue and submit them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.scalars import JSON

from app.schema import errors
from app.schema.catalogue.catalogue import Action
from app.schema.ledger.receipts import ScoreAccepted
from app.schema.scalars import Score


@strawberry.input(description="The action for which a token is requested.")
class IssueActionTokenInput:
    action_type: str = strawberry.field(description="The `id` of an action, as listed by `actions`.")
    difficulty: str | None = strawberry.field(
        default=None,
        description="The name of one of the action's difficulties. Omit it for the plain points of the action.",
    )
    metadata: JSON | None = strawberry.field(
        default=None, description="Any JSON to store with the token, up to 2 KiB, for example a level or match id."
    )


@strawberry.input(description="The submission of a completed action.")
class SubmitScoreInput:
    action_token: str = strawberry.field(description="The `actionToken` that was issued before the action started.")
    data: JSON | None = strawberry.field(
        default=None, description="Any JSON about the completion, up to 8 KiB, that the game can use to verify it."
    )


@strawberry.type(description="An action token: the permission to submit one action, once.")
class ActionTokenIssued:
    action_token: str = strawberry.field(
        description="An opaque string. Pass it to `submitScore` when the action is completed."
    )
    score_value: Score | None = strawberry.field(
        description="The points that the token pays. Null for a STATED action, whose value the game states."
    )
    issued_at: datetime = strawberry.field(
        description="When the token was issued. The minimum duration of the action counts from here."
    )
    expires_at: datetime = strawberry.field(description="When the token expires. It must be submitted before.")
    action: Action = strawberry.field(description="The action for which the token was issued.")


IssueActionTokenResult = Annotated[
    ActionTokenIssued
    | errors.InvalidAction
    | errors.ServerOnlyAction
    | errors.AlreadyCompleted
    | errors.CooldownActive
    | errors.DailyLimitReached,
    strawberry.union("IssueActionTokenResult", description="An action token, or the reason why none was issued."),
]

SubmitScoreResult = Annotated[
    ScoreAccepted
    | errors.InvalidActionToken
    | errors.ActionTokenExpired
    | errors.ActionTokenUsed
    | errors.ActionTokenNotYours
    | errors.InvalidAction
    | errors.ServerOnlyAction
    | errors.AlreadyCompleted
    | errors.CooldownActive
    | errors.DailyLimitReached
    | errors.TooEarly
    | errors.ScoreCapReached
    | errors.VerificationFailed
    | errors.UnderReview,
    strawberry.union("SubmitScoreResult", description="A receipt, or the reason why no points were paid."),
]
