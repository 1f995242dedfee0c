"""Inputs and results of the mutations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.scalars import JSON

from app.schema import errors
from app.schema.catalogue import Action
from app.schema.receipts import ScoreAccepted


@strawberry.input(description="Which action is about to start.")
class IssueActionTokenInput:
    action_type: str = strawberry.field(description="The id of an action.")
    difficulty: str | None = strawberry.field(default=None, description="One of the action's difficulties.")
    metadata: JSON | None = strawberry.field(
        default=None, description="Anything worth keeping with the token, up to 2 KiB."
    )


@strawberry.input(description="Which action is complete.")
class SubmitScoreInput:
    action_token: str = strawberry.field(description="The token that was issued before the action started.")
    data: JSON | None = strawberry.field(
        default=None, description="What the game knows about the completion, for verification; up to 8 KiB."
    )


@strawberry.type(description="Permission to claim one action once.")
class ActionTokenIssued:
    action_token: str = strawberry.field(description="Opaque. Hand it back with `submitScore` when the action is done.")
    score_value: int = strawberry.field(description="The points it is worth.")
    issued_at: datetime = strawberry.field(description="The action starts now.")
    expires_at: datetime = strawberry.field(description="After this it is worth nothing.")
    action: Action = strawberry.field(description="What is to be done.")


IssueActionTokenResult = Annotated[
    ActionTokenIssued | errors.InvalidAction,
    strawberry.union("IssueActionTokenResult", description="A token, or why there is none."),
]

SubmitScoreResult = Annotated[
    ScoreAccepted
    | errors.InvalidActionToken
    | errors.ActionTokenExpired
    | errors.ActionTokenUsed
    | errors.ActionTokenNotYours
    | errors.InvalidAction
    | errors.AlreadyCompleted
    | errors.CooldownActive
    | errors.DailyLimitReached
    | errors.TooEarly
    | errors.ScoreCapReached
    | errors.InvalidSignature
    | errors.StaleTimestamp
    | errors.DuplicateAction
    | errors.VerificationFailed
    | errors.UnderReview,
    strawberry.union("SubmitScoreResult", description="A receipt, or why nothing was paid."),
]
