"""The root of all subscriptions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import strawberry

from app.resolvers.arguments import CategoryId, Info, Limit, PeriodOf
from app.schema.enums import Period
from app.schema.updates import LeaderboardUpdate
from app.services.leaderboards import check_limit


@strawberry.type(description="Watching. The first message is the present state; later ones come when it changes.")
class Subscription:
    @strawberry.subscription(
        description=(
            "The first entries of the open board, and what moved. Changes within 100 ms come as one message; a message "
            "comes only when what is visible has changed."
        )
    )
    async def leaderboard_updates(
        self,
        info: Info,
        category: CategoryId = "global",
        period: PeriodOf = Period.ALL_TIME,
        limit: Limit = 10,
    ) -> AsyncGenerator[LeaderboardUpdate, None]:
        app = info.context.app
        kind = app.leaderboards.category(category, period)
        check_limit(limit)
        async with aclosing(app.hub.watch(category, period, limit)) as updates:
            async for update in updates:
                yield LeaderboardUpdate.of(update, kind, limit)
