"""The rules of a submission: small judges over a claim and the claimant's state. Each raises its refusal, or passes."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from app.domain.catalogue.catalogue import Operator
from app.domain.errors import AlreadyCompleted, CooldownActive, DailyLimitReached, ScoreCapReached, TooEarly
from app.domain.ledger.posting import Account, ScoreRequest, boards_for

Rule = Callable[[ScoreRequest, Account, datetime], None]


def min_duration(request: ScoreRequest, account: Account, now: datetime) -> None:
    """An action takes its time: it began at least `min_duration` ago. Raises TooEarly."""
    if request.action and request.started_at:
        left = request.started_at + request.action.min_duration - now
        if left > timedelta(0):
            raise TooEarly(seconds(left))


def once_only(request: ScoreRequest, account: Account, now: datetime) -> None:
    """An action that is not repeatable pays once for ever. Raises AlreadyCompleted."""
    if request.action and not request.action.repeatable and account.activity.done_ever:
        raise AlreadyCompleted


def cooldown(request: ScoreRequest, account: Account, now: datetime) -> None:
    """Between two completions lies the action's cooldown. Raises CooldownActive."""
    last = account.activity.last_at
    # Without a cooldown nothing is compared: clocks of two instances differ, and `last` may lie ahead of `now`.
    if request.action and request.action.cooldown and last:
        left = last + request.action.cooldown - now
        if left > timedelta(0):
            raise CooldownActive(seconds(left))


def daily_limit(request: ScoreRequest, account: Account, now: datetime) -> None:
    """A UTC day allows so many completions. Raises DailyLimitReached until the next midnight."""
    limit = request.action.daily_limit if request.action else None
    if limit is not None and account.activity.done_today >= limit:
        raise DailyLimitReached(seconds(next_midnight(now) - now))


def score_cap(request: ScoreRequest, account: Account, now: datetime) -> None:
    """There is room under the cap. Raises ScoreCapReached; an award that only partly fits is cut, not refused."""
    row = account.rows.get(boards_for(request.category, now)[0])
    if row and request.category.operator is Operator.SUM and row.score >= request.category.score_cap:
        raise ScoreCapReached


SUBMISSION_RULES: tuple[Rule, ...] = (min_duration, once_only, cooldown, daily_limit, score_cap)
"""In the order in which a caller wants to hear of them."""


def check(request: ScoreRequest, account: Account, now: datetime) -> None:
    """Raise the refusal of the first rule that `request` breaks."""
    for rule in SUBMISSION_RULES:
        rule(request, account, now)


def seconds(left: timedelta) -> int:
    """`left` in whole seconds, rounded up, so that waiting that long is enough."""
    return math.ceil(left.total_seconds())


def next_midnight(now: datetime) -> datetime:
    """The start of the next UTC day."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), datetime.min.time(), tzinfo=UTC)
