"""The root of all subscriptions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry

from app.domain.ids import parse_user_id
from app.resolvers.arguments import CategoryId, Info, Limit, PeriodOf, UserId
from app.resolvers.selection import views_below
from app.schema.arguments import Radius
from app.schema.boards.standings import around_view
from app.schema.boards.updates import LeaderboardUpdate, UserUpdate
from app.schema.enums import Period
from app.schema.players.milestones import Milestone
from app.services.boards.queries import check_limit

AroundUserId = Annotated[
    strawberry.ID | None,
    strawberry.argument(
        description=(
            "The id of a user. If given, the entries around this user are watched instead of the top of the "
            "board, and `limit` is ignored."
        )
    ),
]
MilestonesOf = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="The id of a user. Omit it to receive the milestones of all users."),
]


@strawberry.type(
    description=(
        "Operations that receive live updates. Except for `milestones`, the first message is the current "
        "state; further messages follow when it changes."
    )
)
class Subscription:
    @strawberry.subscription(
        description=(
            "Live updates of the current board of a category and period: its top entries, or the entries around "
            "a user. A message is sent only when something visible has changed; changes within 100 ms are "
            "combined. Nested fields of `leaderboard` with arguments (`around`, `standings`, `friends`) are kept "
            "up to date as well, at the same version."
        )
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
        services = info.context.services
        kind = services.leaderboards.category(category, period)
        extra_views = views_below(info, services.leaderboards.board(kind, period), "leaderboard")
        if around_user_id is None:
            check_limit(limit)
            stretch = f"offset=0&limit={limit}"
            watched = services.hub.watch(category, period, limit, extra_views)
        else:
            view = around_view(around_user_id, radius)
            stretch = f"around={view.user_id}&radius={radius}"
            watched = services.hub.watch_around(category, period, view.user_id, radius, extra_views)
        async with aclosing(watched) as updates:
            async for update in updates:
                yield LeaderboardUpdate.of(update, kind, stretch)

    @strawberry.subscription(
        description=(
            "Live updates of one user's score and rank on the current board. A message is sent when the score, "
            "the rank or the name changes; `overtakenBy` tells who passed the user."
        )
    )
    async def user_updates(
        self,
        info: Info,
        user_id: UserId,
        category: CategoryId = "global",
        period: PeriodOf = Period.ALL_TIME,
    ) -> AsyncGenerator[UserUpdate, None]:
        services = info.context.services
        services.leaderboards.category(category, period)
        profile = await services.leaderboards.profile(parse_user_id(user_id))
        async with aclosing(services.hub.watch_user(profile.id, category, period)) as changes:
            async for change in changes:
                yield UserUpdate.of(change, profile)

    @strawberry.subscription(
        description="Milestones at the moment they are reached, by one user or by all. There is no initial message."
    )
    async def milestones(self, info: Info, user_id: MilestonesOf = None) -> AsyncGenerator[Milestone, None]:
        services = info.context.services
        player = None if user_id is None else (await services.leaderboards.profile(parse_user_id(user_id))).id
        async with aclosing(services.hub.watch_milestones(player)) as reached:
            async for milestone in reached:
                yield Milestone.of(milestone, services.catalogue.current.category(milestone.category))
