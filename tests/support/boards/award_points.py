"""Award points through the ledger, without tokens and rules."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text

from app.domain.boards.board import Board
from app.domain.ledger.posting import Account, Actor, Kind, ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.domain.users import Profile
from app.wiring import App
from tests.support.boards.board_rows import BIRTH, USERS, user_id

SERVER = Actor(None, "server")
MODERATOR = Actor(None, "moderator")


def profile(number: int) -> Profile:
    """Return the profile of a user by number."""
    return Profile(user_id(number), f"player-{number}", None, BIRTH)


async def enlist(app: App, *numbers: int) -> None:
    """Create the users with these numbers."""
    async with app.database.begin() as connection:
        ids = [user_id(number) for number in numbers]
        await connection.execute(USERS, {"ids": ids, "numbers": list(numbers), "birth": BIRTH})


async def award(app: App, number: int, points: int, category: str = "global") -> Receipt:
    """Award points to a user, as a game's back-end does."""
    kind = app.catalogue.current.category(category)
    return await app.ledger.post(ScoreRequest(user_id(number), kind, Kind.SERVER_ACTION, points, SERVER), _accept)


async def correct(app: App, number: int, points: int, *boards: Board) -> Receipt:
    """Adjust a user's scores on some boards of one category, as a moderator does."""
    kind = app.catalogue.current.category(boards[0].category)
    correction = dict.fromkeys(boards, points)
    claim = ScoreRequest(
        user_id(number), kind, Kind.ADJUSTMENT, points, MODERATOR, correction=correction, reason="test"
    )
    return await app.ledger.post(claim, _accept)


async def set_category(app: App, category: str, **columns: str) -> None:
    """Change columns of a category, and refresh the catalogue of this process."""
    async with app.database.begin() as connection:
        for column, value in columns.items():
            statement = text(f"UPDATE categories SET {column} = :value WHERE id = :id")  # noqa: S608 - of the tests
            await connection.execute(statement, {"value": value, "id": category})
    await app.catalogue.refresh()


def _accept(claim: ScoreRequest, account: Account, now: datetime) -> ScoreRequest:
    return claim
