"""Every error that a caller can cause or meet, as facts.

    DomainError
    ├── Refusal                      an outcome a well-behaved client acts on: a member of a result union
    │   ├── InvalidActionToken  ActionTokenExpired(token_hash)  ActionTokenUsed(receipt)  ActionTokenNotYours
    │   ├── InvalidAction  ServerOnlyAction  AlreadyCompleted
    │   ├── Wait(retry_after)        CooldownActive  DailyLimitReached  TooEarly
    │   ├── InvalidSignature  StaleTimestamp  DuplicateAction(receipt)
    │   └── ScoreCapReached  VerificationFailed  UnderReview
    └── Failure                      everything else: a top-level error with `extensions.code`
        ├── Unauthenticated(reason)  Forbidden
        ├── UserNotFound  CategoryNotFound  BadUserInput
        └── RateLimited(retry_after)  TooManyOpenTokens  ServiceUnavailable(retry_after)

An error is independent of the transport. `message` is written for people and never contains a secret.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from app.domain.ledger.receipts import Receipt
from app.error_codes import ErrorCode as ErrorCode


class DomainError(Exception):
    """The base class of all errors.

    Attributes:
        code: The code of the class.
        default: The message of an error that is created without one.
    """

    code: ClassVar[ErrorCode]
    default: ClassVar[str]

    def __init__(self, message: str | None = None) -> None:
        self.message = message or self.default
        super().__init__(self.message)

    def facts(self) -> dict[str, object]:
        """Return what a client may act on besides the code, for `extensions`."""
        return {}


class Refusal(DomainError):
    """A submission, or the issue of a token, was refused; nothing has changed."""


class Failure(DomainError):
    """The request could not be served."""


class InvalidActionToken(Refusal):
    """The action token is malformed, has a wrong signature, or is unknown."""

    code = ErrorCode.INVALID_ACTION_TOKEN
    default = "This action token is not valid. Request a new one."


class ActionTokenExpired(Refusal):
    """The action token has expired. `token_hash` identifies it in the ledger if it was used before."""

    code = ErrorCode.ACTION_TOKEN_EXPIRED
    default = "This action token has expired. Request a new one before the action starts."

    def __init__(self, token_hash: bytes) -> None:
        self.token_hash = token_hash
        super().__init__()


class ActionTokenUsed(Refusal):
    """The token was submitted before. `receipt` is the result of its first submission."""

    code = ErrorCode.ACTION_TOKEN_USED
    default = "This action token has already been used. Its points were added once; the first receipt is attached."

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt
        super().__init__()


class ActionTokenNotYours(Refusal):
    """The action token was issued to another user."""

    code = ErrorCode.ACTION_TOKEN_NOT_YOURS
    default = "This action token was issued to another user."


class InvalidAction(Refusal):
    """The action or its difficulty does not exist, or the action is switched off."""

    code = ErrorCode.INVALID_ACTION
    default = "This action does not exist, has no such difficulty, or is switched off."


class ServerOnlyAction(Refusal):
    """Only a game's back end can report the action: its value is stated, and no verifier can state it."""

    code = ErrorCode.SERVER_ONLY_ACTION
    default = "The result of this action is reported by the game's server; players cannot submit it."


class AlreadyCompleted(Refusal):
    """The action pays once per user, and the user has completed it."""

    code = ErrorCode.ALREADY_COMPLETED
    default = "This action can be completed only once, and you have already completed it."


class Wait(Refusal):
    """A temporary refusal; a token stays valid. `retry_after` is in whole seconds, at least 1."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = max(1, retry_after)
        super().__init__()

    def facts(self) -> dict[str, object]:
        """Return the time to wait."""
        return {"retryAfter": self.retry_after}


class CooldownActive(Wait):
    """The user completed the action too recently."""

    code = ErrorCode.COOLDOWN_ACTIVE
    default = "You completed this action very recently. Wait before you complete it again."


class DailyLimitReached(Wait):
    """The user has completed the action as often as a UTC day allows."""

    code = ErrorCode.DAILY_LIMIT_REACHED
    default = "You have reached the daily limit of this action."


class TooEarly(Wait):
    """Less time has passed since the token was issued than the action takes."""

    code = ErrorCode.TOO_EARLY
    default = "The action was submitted too soon after it was started."


class InvalidSignature(Refusal):
    """The signature of an action does not match, or its key is not valid."""

    code = ErrorCode.INVALID_SIGNATURE
    default = "The signature does not match the action."


class StaleTimestamp(Refusal):
    """The timestamp of a signed action is too far from the server's clock."""

    code = ErrorCode.STALE_TIMESTAMP
    default = "The action's timestamp must be within five minutes of the server's clock."

    def __init__(self, server_time: datetime) -> None:
        self.server_time = server_time
        super().__init__(f"{self.default} It shows {server_time.isoformat(timespec='milliseconds')}.")


class DuplicateAction(Refusal):
    """The client's action id was submitted before. `receipt` is the result of its first submission."""

    code = ErrorCode.DUPLICATE_ACTION
    default = "This action id has already been submitted. Its points were added once; the first receipt is attached."

    def __init__(self, receipt: Receipt) -> None:
        self.receipt = receipt
        super().__init__()


class ScoreCapReached(Refusal):
    """The user's score in the category is at its maximum."""

    code = ErrorCode.SCORE_CAP_REACHED
    default = "Your score in this category has reached its maximum."


class VerificationFailed(Refusal):
    """The game did not confirm the completion."""

    code = ErrorCode.VERIFICATION_FAILED
    default = "The game could not confirm that the action was completed."


class UnderReview(Refusal):
    """The completion was recorded and is held until a moderator decides. The token is used up."""

    code = ErrorCode.UNDER_REVIEW
    default = "The action was recorded. Its points count once a moderator has approved them."


class Unauthenticated(Failure):
    """The access token is missing or not valid. Only an expired one is told apart: the client can refresh it."""

    code = ErrorCode.UNAUTHENTICATED
    default = "A valid access token is required."

    def __init__(self, *, expired: bool = False, signed: bool = False) -> None:
        """Create the error.

        Args:
            expired: The token was valid until it expired.
            signed: A trusted key signed the token, so the caller is not guessing. The client is not told.
        """
        self.expired = expired
        self.signed = expired or signed
        super().__init__("The access token has expired." if expired else None)

    def facts(self) -> dict[str, object]:
        """Return the reason if the token has expired."""
        return {"reason": "TOKEN_EXPIRED"} if self.expired else {}


class Forbidden(Failure):
    """The caller's role does not allow the operation."""

    code = ErrorCode.FORBIDDEN
    default = "Your role does not allow this."


class UserNotFound(Failure):
    """No user has the given id."""

    code = ErrorCode.USER_NOT_FOUND
    default = "No user with this id exists."


class CategoryNotFound(Failure):
    """No category has the given id."""

    code = ErrorCode.CATEGORY_NOT_FOUND
    default = "No category with this id exists."


class BadUserInput(Failure):
    """An argument is not valid; the message states what must be the case."""

    code = ErrorCode.BAD_USER_INPUT
    default = "An argument is not valid."


class RateLimited(Failure):
    """A rate limit was exceeded. The same request passes after `retry_after` whole seconds, at least 1."""

    code = ErrorCode.RATE_LIMITED
    default = "Too many requests."

    def __init__(self, retry_after: int, message: str | None = None) -> None:
        self.retry_after = max(1, retry_after)
        super().__init__(f"{message or self.default} Try again in {self.retry_after} s.")

    def facts(self) -> dict[str, object]:
        """Return the time to wait."""
        return {"retryAfter": self.retry_after}


class TooManyOpenTokens(RateLimited):
    """The user has too many open action tokens. The first of them expires after `retry_after` seconds."""

    default = "You have the maximum number of open action tokens. Submit one, or wait until one expires."


class ServiceUnavailable(Failure):
    """A store is unavailable. Nothing was changed; the request can be repeated after `retry_after` whole seconds."""

    code = ErrorCode.SERVICE_UNAVAILABLE
    default = "The service is temporarily unavailable. Try again in a moment."

    def __init__(self, retry_after: int = 1) -> None:
        self.retry_after = max(1, retry_after)
        super().__init__()

    def facts(self) -> dict[str, object]:
        """Return the time to wait."""
        return {"retryAfter": self.retry_after}
