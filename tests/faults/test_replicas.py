"""Read replicas serve boards when PostgreSQL has to, and are passed over when they are away."""

from app.config import Settings
from app.domain.boards.board import Source, board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.wiring import open_app
from tests.support.service import caller, opened
from tests.support.stores import BreakableServer


async def scores(settings: Settings, replica: str) -> list[int]:
    """The board as an instance without Redis shows it, with `replica` beside the primary."""
    nowhere = {"redis_url": "redis://127.0.0.1:9", "database_replica_urls": (replica,), "db_timeout": 1.0}
    async with opened(settings) as writer:
        who = caller()
        await writer.submit_score(who, (await writer.issue_token(who, "COMPLETE_LEVEL")).token)
        async with open_app(settings.model_copy(update=nowhere)) as app:
            page = await app.board_reader.page(board_of("global", Period.ALL_TIME, app.clock()), Slice(0, 10))
    assert page.source is Source.POSTGRES
    return [entry.score for entry in page.entries]


async def test_a_replica_serves_boards(settings: Settings, postgres_server: BreakableServer):
    # The "replica" is an empty database of its own: what it says shows that it was asked.
    assert await scores(settings, postgres_server.url) == []


async def test_a_replica_that_is_away_is_passed_over(settings: Settings, postgres_server: BreakableServer):
    postgres_server.kill()
    assert await scores(settings, postgres_server.url) == [50]
