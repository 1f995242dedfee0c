"""The outcomes of a mutation that a client acts on: a type each, so that they cannot be overlooked."""

from __future__ import annotations

import strawberry

from app.schema.enums import ErrorCode
from app.schema.receipts import ScoreAccepted


@strawberry.interface(description="An outcome other than success. Nothing was changed, unless its type says otherwise.")
class UserError:
    code: ErrorCode = strawberry.field(description="The same for every error of this type.")
    message: str = strawberry.field(description="A sentence for the person in front of the screen.")


@strawberry.interface(description="Refused for a passing reason: the same request may succeed later.")
class RetryableError(UserError):
    retry_after: int = strawberry.field(description="Seconds to wait, at least 1.")


@strawberry.type(description="The action token is malformed, forged or unknown.")
class InvalidActionToken(UserError):
    pass


@strawberry.type(description="The action token has expired.")
class ActionTokenExpired(UserError):
    pass


@strawberry.type(description="The action token has paid already. A repeat is harmless: here is what the first one got.")
class ActionTokenUsed(UserError):
    receipt: ScoreAccepted = strawberry.field(description="What the first submission was answered with, but for ranks.")


@strawberry.type(description="The action token was issued to somebody else.")
class ActionTokenNotYours(UserError):
    pass


@strawberry.type(description="The action does not exist, has no such difficulty, or is switched off.")
class InvalidAction(UserError):
    pass


@strawberry.type(description="The action pays once per user, and has paid.")
class AlreadyCompleted(UserError):
    pass


@strawberry.type(description="The action was completed a moment ago. The token stays usable.")
class CooldownActive(RetryableError):
    pass


@strawberry.type(description="The action was completed as often as a UTC day allows. The token stays usable.")
class DailyLimitReached(RetryableError):
    pass


@strawberry.type(description="The action takes longer than that. The token stays usable.")
class TooEarly(RetryableError):
    pass


@strawberry.type(description="The user's score in the category is at its cap.")
class ScoreCapReached(UserError):
    pass


@strawberry.type(
    description="The signature does not match, or its key is unknown, expired, or somebody else's: open a new session."
)
class InvalidSignature(UserError):
    pass


@strawberry.type(description="The timestamp is more than five minutes away from the server's clock.")
class StaleTimestamp(UserError):
    pass


@strawberry.type(description="The client's action id has paid already. A repeat is harmless: here is what it got.")
class DuplicateAction(UserError):
    receipt: ScoreAccepted = strawberry.field(description="What the first submission was answered with, but for ranks.")


@strawberry.type(description="The game could not confirm that the action was completed. A token stays usable.")
class VerificationFailed(UserError):
    pass


@strawberry.type(
    description="Recorded, and waiting for a moderator: until then it counts nowhere. The token is consumed. "
    "`me.heldScores` tells what became of it."
)
class UnderReview(UserError):
    pass
