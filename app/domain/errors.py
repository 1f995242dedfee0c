"""Everything that can go wrong for a caller, as facts.

    DomainError
    ├── Refusal                      an outcome a well-behaved client acts on: a member of a result union
    │   ├── InvalidActionToken  ActionTokenExpired(token_hash)  ActionTokenUsed(receipt)  ActionTokenNotYours
    │   ├── InvalidAction  AlreadyCompleted
    │   ├── Wait(retry_after)        CooldownActive  DailyLimitReached  TooEarly
    │   ├── InvalidSignature  StaleTimestamp  DuplicateAction(receipt)
    │   └── ScoreCapReached  VerificationFailed  UnderReview
    └── Failure                      everything else: a top-level error with `extensions.code`
        ├── Unauthenticated(reason)  Forbidden
        ├── UserNotFound  CategoryNotFound  BadUserInput
        └── RateLimited(retry_after)  TooManyOpenTokens  ServiceUnavailable(retry_after)

An error knows no transport. `message` is written for the person who reads it and never carries a secret.
"""

from __future__ import annotations

from typing import ClassVar

from app.domain.ledger.receipts import Receipt
from app.error_codes import ErrorCode as ErrorCode


class DomainError(Exception):
    """The root of the tree. `code` is the class's, `message` the default sentence unless one is given."""

    code: ClassVar[ErrorCode]
    default: ClassVar[str]

    def __init__(self, message: str | None = None) -> None:
        self.message = message or self.default
        super().__init__(self.message)

    def facts(self) -> dict[str, object]:
        """What a client may act on besides the code, for `extensions`."""
        return {}


class Refusal(DomainError):
    """A submission or an issue was refused, and nothing changed."""


class Failure(DomainError):
    """The request could not be served."""


class InvalidActionToken(Refusal):
    code = ErrorCode.INVALID_ACTION_TOKEN
    default = "This action token is not valid. Request a new one."


class ActionTokenExpired(Refusal):
    """`token_hash` is what the ledger would know the token by, had it been used in time."""

    code = ErrorCode.ACTION_TOKEN_EXPIRED
    default = "This action token has expired. Request a new one before the action starts."

    def __init__(self, token_hash: bytes) -> None:
        self.token_hash = token_hash
        super().__init__()


class ActionTokenUsed(Refusal):
    """A replay. `receipt` is what the first submission of this token was answered with."""

    code = ErrorCode.ACTION_TOKEN_USED
    default = "This action token has already been used. Its points were added once; the first receipt is attached."

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt
        super().__init__()


class ActionTokenNotYours(Refusal):
    code = ErrorCode.ACTION_TOKEN_NOT_YOURS
    default = "This action token was issued to another user."


class InvalidAction(Refusal):
    code = ErrorCode.INVALID_ACTION
    default = "This action does not exist, has no such difficulty, or is switched off."


class AlreadyCompleted(Refusal):
    code = ErrorCode.ALREADY_COMPLETED
    default = "This action can be completed only once, and you have already completed it."


class Wait(Refusal):
    """Refused for a passing reason; a token stays usable. `retry_after` is in whole seconds, at least 1."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = max(1, retry_after)
        super().__init__()

    def facts(self) -> dict[str, object]:
        return {"retryAfter": self.retry_after}


class CooldownActive(Wait):
    code = ErrorCode.COOLDOWN_ACTIVE
    default = "You completed this action very recently. Wait before you complete it again."


class DailyLimitReached(Wait):
    code = ErrorCode.DAILY_LIMIT_REACHED
    default = "You have reached the daily limit of this action."


class TooEarly(Wait):
    code = ErrorCode.TOO_EARLY
    default = "The action was submitted too soon after it was started."


class InvalidSignature(Refusal):
    code = ErrorCode.INVALID_SIGNATURE
    default = "The signature does not match the action."


class StaleTimestamp(Refusal):
    code = ErrorCode.STALE_TIMESTAMP
    default = "The action's timestamp must be within five minutes of the server's clock."


class DuplicateAction(Refusal):
    """The client's own action id was seen before. `receipt` is what the first one was answered with."""

    code = ErrorCode.DUPLICATE_ACTION
    default = "This action id has already been submitted. Its points were added once; the first receipt is attached."

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt
        super().__init__()


class ScoreCapReached(Refusal):
    code = ErrorCode.SCORE_CAP_REACHED
    default = "Your score in this category has reached its maximum."


class VerificationFailed(Refusal):
    code = ErrorCode.VERIFICATION_FAILED
    default = "The game could not confirm that the action was completed."


class UnderReview(Refusal):
    """Recorded and held back: a moderator decides. The token is consumed."""

    code = ErrorCode.UNDER_REVIEW
    default = "The action was recorded. Its points count once a moderator has approved them."


class Unauthenticated(Failure):
    """One answer for every kind of bad token; only an expired one says so, because the client can act on it."""

    code = ErrorCode.UNAUTHENTICATED
    default = "A valid access token is required."

    def __init__(self, *, expired: bool = False) -> None:
        self.expired = expired
        super().__init__("The access token has expired." if expired else None)

    def facts(self) -> dict[str, object]:
        return {"reason": "TOKEN_EXPIRED"} if self.expired else {}


class Forbidden(Failure):
    code = ErrorCode.FORBIDDEN
    default = "Your role does not allow this."


class UserNotFound(Failure):
    code = ErrorCode.USER_NOT_FOUND
    default = "No user with this id exists."


class CategoryNotFound(Failure):
    code = ErrorCode.CATEGORY_NOT_FOUND
    default = "No category with this id exists."


class BadUserInput(Failure):
    code = ErrorCode.BAD_USER_INPUT
    default = "An argument is not valid."


class RateLimited(Failure):
    """Over a limit. `retry_after` is in whole seconds, >= 1: after that much time the same request passes."""

    code = ErrorCode.RATE_LIMITED
    default = "Too many requests."

    def __init__(self, retry_after: int, message: str | None = None) -> None:
        self.retry_after = max(1, retry_after)
        super().__init__(f"{message or self.default} Try again in {self.retry_after} s.")

    def facts(self) -> dict[str, object]:
        return {"retryAfter": self.retry_after}


class TooManyOpenTokens(RateLimited):
    """`retry_after` is when the first of the open tokens expires; using one makes room at once."""

    default = "You have the maximum number of open action tokens. Submit one, or wait until one expires."


class ServiceUnavailable(Failure):
    """A store is away. Nothing was acknowledged and repeating is safe. `retry_after` is in whole seconds."""

    code = ErrorCode.SERVICE_UNAVAILABLE
    default = "The service is temporarily unavailable. Try again in a moment."

    def __init__(self, retry_after: int = 1) -> None:
        self.retry_after = max(1, retry_after)
        super().__init__()

    def facts(self) -> dict[str, object]:
        return {"retryAfter": self.retry_after}
