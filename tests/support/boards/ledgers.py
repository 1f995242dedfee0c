"""Award points through the ledger, and read the tables afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from app.domain.ledger.metadata import metadata_of
from app.domain.ledger.posting import Account, ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.transactions import Actor, Kind
from app.domain.users import Caller
from app.wiring import App

SELECT_SCORES = text(
    """
    SELECT category_id, period, window_start, user_id, score, sort_key, reached_at, hidden FROM scores
    ORDER BY category_id, period, window_start, user_id
    """
)
MODERATOR = Actor(uuid4(), "moderator")


def accept(claim: ScoreRequest, account: Account, now: datetime) -> ScoreRequest:
    """Accept a score request without any rule."""
    return claim


async def award(
    app: App,
    who: Caller,
    points: int,
    category: str = "global",
    judge: Callable[..., ScoreRequest] = accept,
    metadata: Any = None,
) -> Receipt:
    """Award points to a user, as a game's back end does."""
    await app.users.ensure(who)
    claim = ScoreRequest(
        user_id=who.user_id,
        category=app.catalogue.current.category(category),
        kind=Kind.SERVER_ACTION,
        points=points,
        actor=Actor(None, "server"),
        metadata=metadata_of(metadata),
    )
    return await app.ledger.post(claim, judge)


async def rows(app: App, statement: str, **values: Any) -> Sequence[Any]:
    """Return the rows of a statement."""
    async with app.database.connect() as connection:
        return (await connection.execute(text(statement), values)).all()


async def scores(app: App) -> Sequence[Any]:
    """Return all scores without their revisions, which are specific to one database."""
    async with app.database.connect() as connection:
        return (await connection.execute(SELECT_SCORES)).all()


async def breaches(app: App) -> list[str]:
    """Return the breaches that `verify` finds."""
    await app.rebuild.ensure_loaded()
    return [sentence for finding in await app.verify.run(lambda *_: None) for sentence in finding.violations]
