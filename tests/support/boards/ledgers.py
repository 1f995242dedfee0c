"""Ledgers for tests: entries made at chosen moments, and what tables hold afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from app.domain.ledger.posting import Account, ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.transactions import Actor, Kind
from app.domain.users import Caller
from app.wiring import App

SCORES = text(
    """
    SELECT category_id, period, window_start, user_id, score, sort_key, reached_at, hidden FROM scores
    ORDER BY category_id, period, window_start, user_id
    """
)
MODERATOR = Actor(uuid4(), "moderator")


@dataclass
class MovableClock:
    """A clock that stands still until it is moved."""

    now: datetime = field(default_factory=lambda: datetime(2026, 11, 20, 12, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        """Go on by a `timedelta` of these arguments."""
        self.now += timedelta(**by)


def as_it_is(claim: ScoreRequest, account: Account, now: datetime) -> ScoreRequest:
    """A judge that lets everything pass."""
    return claim


async def award(
    app: App, who: Caller, points: int, category: str = "global", judge: Callable[..., ScoreRequest] = as_it_is
) -> Receipt:
    """A server's award, now."""
    await app.users.ensure(who)
    claim = ScoreRequest(
        user_id=who.user_id,
        category=app.catalogue.current.category(category),
        kind=Kind.SERVER_ACTION,
        points=points,
        actor=Actor(None, "server"),
    )
    return await app.ledger.post(claim, judge)


async def rows(app: App, statement: str, **values: Any) -> Sequence[Any]:
    """What a statement selects."""
    async with app.database.connect() as connection:
        return (await connection.execute(text(statement), values)).all()


async def scores(app: App) -> Sequence[Any]:
    """Every score, but for the revision, which counts what happened to a row in this database alone."""
    async with app.database.connect() as connection:
        return (await connection.execute(SCORES)).all()


async def breaches(app: App) -> list[str]:
    """What `verify` finds."""
    await app.rebuild.ensure_loaded()
    return [sentence for finding in await app.verify.run(lambda *_: None) for sentence in finding.violations]
