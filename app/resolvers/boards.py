"""Boards: queries and live updates."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry

from app.domain.boards.board_query import BoardQuery, around_view, page_view
from app.domain.ids import parse_id
from app.execution.documents.selection import CACHEABLE
from app.resolvers.arguments import At, CategoryId, Info, Limit, Offset, PeriodOf, UserId
from app.resolvers.authorization import VIEWER
from app.resolvers.requested_views import nested_views, shows_total
from app.schema import lookups
from app.schema.arguments import OptionalUserId, Radius
from app.schema.boards.leaderboard import Leaderboard, UserRank
from app.schema.boards.updates import LeaderboardUpdate, UserUpdate
from app.schema.enums import Period
from app.schema.players.users import User

AroundUserId = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        description=(
            "The id of a user. If given, the entries around this user are watched instead of the top of the "
            "board, and `limit` is ignored."
        )
    ),
]


@strawberry.type
class BoardQueryFields:
    """Queries about boards."""

    @strawberry.field(
        description=(
            "The leaderboard of a category and period. Use `limit` and `offset` for the top of the board, "
            "`standings` to page through all of it."
        ),
        metadata={CACHEABLE: True, "lookups": lookups.page},
    )
    async def leaderboard(
        self,
        info: Info,
        category: CategoryId = "global",
        period: PeriodOf = Period.ALL_TIME,
        at: At = None,
        limit: Limit = 10,
        offset: Offset = 0,
    ) -> Leaderboard:
        """Read a page of a board with its nested fields."""
        services = info.context.services
        boards = services.board_queries
        kind = boards.category(category, period)
        board = boards.board(kind, period, at)
        query = BoardQuery(kind, board, page_view(limit, offset), nested_views(info, kind, board))
        page = info.context.cached(await boards.page(query))
        return page.rendered(kind, lambda page: Leaderboard.of(page, query, services.past_ranks.movement))

    @strawberry.field(
        description="A user's score and rank on a board. A user without a score has a null `rank` and a `score` of 0.",
        metadata=VIEWER | {"lookups": lookups.standing},
    )
    async def user_rank(
        self,
        info: Info,
        user_id: UserId,
        category: CategoryId = "global",
        period: PeriodOf = Period.ALL_TIME,
        at: At = None,
    ) -> UserRank | None:
        """Read a user's standing."""
        boards = info.context.services.board_queries
        kind = boards.category(category, period)
        standing, profile = await boards.standing(
            boards.board(kind, period, at), parse_id("userId", user_id), info.context.caller
        )
        return UserRank.of(standing, User.of(profile))


@strawberry.type
class BoardSubscriptionFields:
    """Subscriptions to boards and to users on them."""

    @strawberry.subscription(
        description=(
            "Live updates of the current board of a category and period: its top entries, or the entries around "
            "a user. A message is sent only when something visible has changed; changes within 100 ms are "
            "combined, and a change of nothing but the number of users is sent at most once per second, and only if "
            "it is selected. Nested fields of `leaderboard` with arguments (`around`, `standings`, `friends`) are kept "
            "up to date as well, at the same version."
        ),
        metadata={"lookups": lookups.around_user},
    )
    async def leaderboard_updates(
        self,
        info: Info,
        category: CategoryId = "global",
        period: PeriodOf = Period.ALL_TIME,
        limit: Limit = 10,
        around_user_id: AroundUserId = None,
        radius: Radius = 5,
    ) -> AsyncGenerator[LeaderboardUpdate, None]:
        """Watch a board with its nested fields."""
        services = info.context.services
        kind = services.board_queries.category(category, period)
        board = services.board_queries.board(kind, period)
        view = page_view(limit) if around_user_id is None else around_view(around_user_id, radius, "aroundUserId")
        query = BoardQuery(kind, board, view, nested_views(info, kind, board, "leaderboard"))
        watched = services.live_updates.board(query, info.context.owners, shows_total=shows_total(info))
        async with aclosing(watched) as updates:
            async for update in updates:
                yield LeaderboardUpdate.of(update, query, services.past_ranks.movement)

    @strawberry.subscription(
        description=(
            "Live updates of the score and rank of a user, or of the caller, on the current board. A message is sent "
            "when the score, the rank or the name changes; `overtakenBy` tells who passed the user."
        ),
        metadata={"viewer": "userId"},
    )
    async def user_updates(
        self,
        info: Info,
        user_id: OptionalUserId = None,
        category: CategoryId = "global",
        period: PeriodOf = Period.ALL_TIME,
    ) -> AsyncGenerator[UserUpdate, None]:
        """Watch a user's standing."""
        context = info.context
        player = context.require_caller().user_id if user_id is None else parse_id("userId", user_id)
        caller = context.caller if user_id is None else None
        changes = context.services.live_updates.user(
            player, category, period, context.owners, shows_total=shows_total(info), caller=caller
        )
        async with aclosing(changes):
            async for change in changes:
                yield UserUpdate.of(change)
