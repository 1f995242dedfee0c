"""Outcomes: refusals as members of the unions that mutations return."""

from __future__ import annotations

from typing import Any

from app.domain import errors as domain
from app.domain.users import Caller
from app.schema import errors
from app.schema.ledger.receipts import ScoreAccepted
from app.telemetry.requests import log_refusal

OUTCOMES: dict[type[domain.Refusal], type[errors.UserError]] = {
    domain.InvalidActionToken: errors.InvalidActionToken,
    domain.ActionTokenExpired: errors.ActionTokenExpired,
    domain.ActionTokenUsed: errors.ActionTokenUsed,
    domain.ActionTokenNotYours: errors.ActionTokenNotYours,
    domain.InvalidAction: errors.InvalidAction,
    domain.ServerOnlyAction: errors.ServerOnlyAction,
    domain.AlreadyCompleted: errors.AlreadyCompleted,
    domain.CooldownActive: errors.CooldownActive,
    domain.DailyLimitReached: errors.DailyLimitReached,
    domain.TooEarly: errors.TooEarly,
    domain.ScoreCapReached: errors.ScoreCapReached,
    domain.InvalidSignature: errors.InvalidSignature,
    domain.StaleTimestamp: errors.StaleTimestamp,
    domain.DuplicateAction: errors.DuplicateAction,
    domain.VerificationFailed: errors.VerificationFailed,
    domain.UnderReview: errors.UnderReview,
}
"""The member of a result union that each refusal becomes."""


class Outcome:
    """A Strawberry exception handler that turns one kind of refusal into its type in a result union."""

    def __init__(self, refusal: type[domain.Refusal], outcome: type[errors.UserError]) -> None:
        self.exception_type = refusal
        self.error_type = outcome

    def handle(self, exception: domain.Refusal, *, field: object, info: Any) -> errors.UserError:
        """Return the member of the union, with the facts of the refusal."""
        info.context.refusal = exception.code
        return outcome_of(exception, info.context.caller)


def outcome_of(refusal: domain.Refusal, caller: Caller | None) -> errors.UserError:
    """Return a refusal as the member of a union, with its facts as `caller` may see them, and log it."""
    log_refusal(refusal.code.value, refusal.message)
    facts: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if isinstance(refusal, domain.Wait):
        facts["retry_after"] = refusal.retry_after
    if isinstance(refusal, domain.StaleTimestamp):
        facts["server_time"] = refusal.server_time
    if isinstance(refusal, domain.ActionTokenUsed | domain.DuplicateAction):
        facts["receipt"] = ScoreAccepted.of(refusal.receipt, caller)
    return OUTCOMES[type(refusal)](**facts)
