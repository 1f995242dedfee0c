"""What a moderator decides while Redis is away is seen at once, and in Redis when it is back."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from app.domain.boards.board import Source, board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.ledger.transactions import Actor
from app.domain.users import Role
from app.wiring import App
from tests.support.service import caller, opened, settings_for
from tests.support.stores import BreakableServer

MODERATOR = Actor(uuid4(), Role.MODERATOR.value)


async def names(app: App) -> tuple[Source, list[str]]:
    """Who is on the board, and where that is known from."""
    page = await app.board_reader.page(board_of("global", Period.ALL_TIME, app.clock()), Slice(0, 10))
    return page.source, [entry.user.username for entry in page.entries]


async def test_a_user_who_is_hidden_while_redis_is_frozen_is_hidden_in_it_afterwards(
    database_url: str, redis_server: BreakableServer
):
    async with opened(settings_for(database_url, redis_server.url)) as app:
        alice, bob = caller("alice"), caller("bob")
        for who in (alice, bob):
            await app.submit_score(who, (await app.issue_token(who, "COMPLETE_LEVEL")).token)
        assert await names(app) == (Source.REDIS, ["alice", "bob"])
        redis_server.freeze()
        await app.moderation.visibility.hide(MODERATOR, alice.user_id, "a bot")
        assert await names(app) == (Source.POSTGRES, ["bob"])
        redis_server.thaw()
        async with asyncio.timeout(30):
            while await names(app) != (Source.REDIS, ["bob"]):  # noqa: ASYNC110  repairs have no event
                await asyncio.sleep(0.05)
