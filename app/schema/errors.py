"""The outcomes of a mutation that a client should handle: members of its result union."""

from __future__ import annotations

from datetime import datetime

import strawberry

from app.schema.enums import ErrorCode
from app.schema.ledger.receipts import ScoreAccepted


@strawberry.interface(
    description=(
        "An expected outcome other than success, to handle in the client. Unless the description of the type "
        "says otherwise, nothing has changed."
    )
)
class UserError:
    code: ErrorCode = strawberry.field(
        description="A machine-readable code. It is the same for all errors of this type."
    )
    message: str = strawberry.field(description="An explanation in English that can be shown to the user.")


@strawberry.interface(description="A temporary refusal: the same request can succeed after `retryAfter` seconds.")
class RetryableError(UserError):
    retry_after: int = strawberry.field(description="How many seconds to wait before trying again; at least 1.")


@strawberry.type(description="The action token is malformed, has a wrong signature, or is unknown. Request a new one.")
class InvalidActionToken(UserError):
    pass


@strawberry.type(description="The action token has expired. Request a new one before the action starts.")
class ActionTokenExpired(UserError):
    pass


@strawberry.type(
    description=(
        "The action token was submitted before and has paid already. This is expected after a retry: "
        "`receipt` is the result of the first submission."
    )
)
class ActionTokenUsed(UserError):
    receipt: ScoreAccepted = strawberry.field(description="The result of the first submission. Its ranks are null.")


@strawberry.type(description="The action token was issued to another user.")
class ActionTokenNotYours(UserError):
    pass


@strawberry.type(
    description="The action or difficulty does not exist, a difficulty is missing, or the action is switched off."
)
class InvalidAction(UserError):
    pass


@strawberry.type(
    description=(
        "The value of the action is stated by the game's back end with `recordAction`; players cannot submit it. No "
        "action token is issued for it."
    )
)
class ServerOnlyAction(UserError):
    pass


@strawberry.type(description="The action pays only once per user, and this user has completed it before.")
class AlreadyCompleted(UserError):
    pass


@strawberry.type(
    description=(
        "The user completed this action too recently. Wait `retryAfter` seconds and submit the same token "
        "again; it stays valid until it expires."
    )
)
class CooldownActive(RetryableError):
    pass


@strawberry.type(
    description=(
        "The user has completed this action as many times as allowed per UTC day. `retryAfter` is the time "
        "until midnight UTC."
    )
)
class DailyLimitReached(RetryableError):
    pass


@strawberry.type(
    description=(
        "Less time has passed since the token was issued than the action takes. Wait `retryAfter` seconds "
        "and submit the same token again; it stays valid until it expires."
    )
)
class TooEarly(RetryableError):
    pass


@strawberry.type(description="The user's score in this category is at its maximum, so no points were added.")
class ScoreCapReached(UserError):
    pass


@strawberry.type(
    description=(
        "The signature does not match the action, or its key is unknown, expired, or belongs to another "
        "user. Open a new signing session."
    )
)
class InvalidSignature(UserError):
    pass


@strawberry.type(
    description=(
        "The timestamp differs from the server's clock by more than five minutes. Check the clock of the client."
    )
)
class StaleTimestamp(UserError):
    server_time: datetime = strawberry.field(
        description="The server's clock, by which a client with a wrong clock can correct its timestamps."
    )


@strawberry.type(
    description=(
        "The `actionId` was submitted before and has paid already. This is expected after a retry: `receipt` "
        "is the result of the first submission."
    )
)
class DuplicateAction(UserError):
    receipt: ScoreAccepted = strawberry.field(description="The result of the first submission. Its ranks are null.")


@strawberry.type(
    description=(
        "The game could not confirm that the action was completed. An action token stays valid until it expires."
    )
)
class VerificationFailed(UserError):
    pass


@strawberry.type(
    description=(
        "The completion was recorded but is held until a moderator has reviewed it; its points do not count "
        "before. The action token is used up. `me.heldScores` shows the decision."
    )
)
class UnderReview(UserError):
    pass
