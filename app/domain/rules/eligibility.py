"""Eligibility: the rules of an action. Each is a function of the request, the account and the time that may refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from app.domain.catalogue.catalogue import Operator
from app.domain.errors import AlreadyCompleted, CooldownActive, DailyLimitReached, ScoreCapReached, TooEarly
from app.domain.ledger.posting import Account, ScoreRequest, boards_for

Rule = Callable[[ScoreRequest, Account, datetime], None]


def min_duration(request: ScoreRequest, account: Account, now: datetime) -> None:
    """Require that the action began at least its `min_duration` ago. Raises TooEarly."""
    if request.action and request.started_at:
        left = request.started_at + request.action.min_duration - now
        if left > timedelta(0):
            raise TooEarly(seconds(left))


def once_only(request: ScoreRequest, account: Account, now: datetime) -> None:
    """Require that an action that is not repeatable was never completed. Raises AlreadyCompleted."""
    if request.action and not request.action.repeatable and account.activity.done_ever:
        raise AlreadyCompleted


def cooldown(request: ScoreRequest, account: Account, now: datetime) -> None:
    """Require that the last completion is at least the action's cooldown ago. Raises CooldownActive."""
    last = account.activity.last_at
    # Without a cooldown nothing is compared: clocks of two instances differ, and `last` may lie ahead of `now`.
    if request.action and request.action.cooldown and last:
        left = last + request.action.cooldown - now
        if left > timedelta(0):
            raise CooldownActive(seconds(left))


def daily_limit(request: ScoreRequest, account: Account, now: datetime) -> None:
    """Require that the day's limit of the action is not reached. Raises DailyLimitReached until midnight UTC."""
    limit = request.action.daily_limit if request.action else None
    if limit is not None and account.activity.done_today >= limit:
        raise DailyLimitReached(seconds(next_midnight(now) - now))


def score_cap(request: ScoreRequest, account: Account, now: datetime) -> None:
    """Require a score below the cap. Raises ScoreCapReached; an award beyond the cap is limited, not refused."""
    row = account.rows.get(boards_for(request.category, now)[0])
    if row and request.category.operator is Operator.SUM and row.score >= request.category.score_cap:
        raise ScoreCapReached


SUBMISSION_RULES: tuple[Rule, ...] = (min_duration, once_only, cooldown, daily_limit, score_cap)
"""All rules. The first that a request breaks refuses it."""


def check(request: ScoreRequest, account: Account, now: datetime) -> None:
    """Raise the refusal of the first rule that `request` breaks."""
    for rule in SUBMISSION_RULES:
        rule(request, account, now)


def check_start(request: ScoreRequest, account: Account, now: datetime) -> None:
    """Raise the refusal that a submission of the action would meet if the user began it `now`.

    The earliest submission counts, at the end of the action's duration: a cooldown may be over by then.
    """
    assert request.action is not None
    submission = now + request.action.min_duration
    once_only(request, account, submission)
    cooldown(request, account, submission)
    if next_midnight(now) > submission:  # Of the next day nothing is done yet.
        daily_limit(request, account, submission)


def seconds(left: timedelta) -> int:
    """Return whole seconds, rounded up, so that a retry after them succeeds."""
    return math.ceil(left.total_seconds())


def next_midnight(now: datetime) -> datetime:
    """Return the start of the next UTC day."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), datetime.min.time(), tzinfo=UTC)
