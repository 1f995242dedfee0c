"""Actions without a token: signed by a client, or recorded by a game's back end."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

from app.schema import errors
from app.schema.ledger.receipts import ScoreAccepted
from app.schema.scalars import Score


@strawberry.type(
    description="A key with which a client signs completed actions instead of requesting a token before each."
)
class SigningSession:
    key_id: strawberry.ID = strawberry.field(description="The identifier of the key, to pass as `keyId`.")
    secret: str = strawberry.field(
        description=(
            "The HMAC key, to be used as the bytes of this string. It is returned only once. A signature is the "
            "HMAC-SHA256, in lower-case hexadecimal, of six lines joined by line feeds: "
            "`leaderboard-signed-action-v1`, key id, action id, action type, difficulty (or an empty line), and "
            "the timestamp in whole milliseconds since 1970."
        )
    )
    expires_at: datetime = strawberry.field(description="When the session expires. Actions must be submitted before.")


@strawberry.input(description="A completed action that was signed in a signing session.")
class SubmitSignedActionInput:
    key_id: strawberry.ID = strawberry.field(description="The `keyId` of the signing session.")
    action_id: strawberry.ID = strawberry.field(
        description=(
            "A UUID that the client generates for this completion. It pays once; submitting it again returns the "
            "first receipt."
        )
    )
    action_type: str = strawberry.field(description="The `id` of an action, as listed by `actions`.")
    timestamp: datetime = strawberry.field(
        description="When the action was signed, with a time zone. It must be within 5 minutes of the server's clock."
    )
    signature: str = strawberry.field(description="The signature, computed as described at `SigningSession.secret`.")
    difficulty: str | None = strawberry.field(
        default=None,
        description="The name of one of the action's difficulties. Omit it for the plain points of the action.",
    )
    data: JSON | None = strawberry.field(
        default=None,
        description=(
            "Any JSON about the completion, up to 8 KiB, that the game can use to verify it. It is not covered "
            "by the signature."
        ),
    )


@strawberry.input(one_of=True, description="A user, named in one of two ways: exactly one field must be given.")
class UserReference:
    id: strawberry.ID | None = strawberry.field(default=UNSET, description="The id of the user: a UUID.")
    subject: str | None = strawberry.field(
        default=UNSET, description="The `sub` claim of the user's access tokens, 1 to 255 characters."
    )


@strawberry.input(description="A completed action, reported by a game's back end.")
class RecordActionInput:
    action_type: str = strawberry.field(description="The `id` of an action, as listed by `actions`.")
    idempotency_key: str = strawberry.field(
        description=(
            "A key chosen by the caller, 1 to 100 characters. Repeating the request with the same key and "
            "content returns the first receipt and pays nothing."
        )
    )
    user: UserReference = strawberry.field(description="The user who completed the action.")
    username: str | None = strawberry.field(
        default=None, description="The user's name. Required if the user is new to the service; it creates the user."
    )
    difficulty: str | None = strawberry.field(
        default=None,
        description="The name of one of the action's difficulties. Omit it for the plain points of the action.",
    )
    value: Score | None = strawberry.field(
        default=None,
        description=(
            "What the completion is worth, for example a time in milliseconds, between the `minValue` and `maxValue` "
            "of the action. Required for a STATED action, and for no other."
        ),
    )
    reason: str | None = strawberry.field(default=None, description="A note for the audit log, up to 500 characters.")
    metadata: JSON | None = strawberry.field(
        default=None,
        description=(
            "Any JSON for everybody to see with the score, up to 1 KiB and 8 levels deep, for example the link to a "
            "replay. Only in a category with `entryMetadata`."
        ),
    )


SubmitSignedActionResult = Annotated[
    ScoreAccepted
    | errors.InvalidSignature
    | errors.StaleTimestamp
    | errors.DuplicateAction
    | errors.InvalidAction
    | errors.ServerOnlyAction
    | errors.AlreadyCompleted
    | errors.CooldownActive
    | errors.DailyLimitReached
    | errors.TooEarly
    | errors.ScoreCapReached
    | errors.VerificationFailed
    | errors.UnderReview,
    strawberry.union("SubmitSignedActionResult", description="A receipt, or the reason why no points were paid."),
]

RecordActionResult = Annotated[
    ScoreAccepted
    | errors.InvalidAction
    | errors.AlreadyCompleted
    | errors.CooldownActive
    | errors.DailyLimitReached
    | errors.ScoreCapReached,
    strawberry.union("RecordActionResult", description="A receipt, or the reason why no points were paid."),
]
