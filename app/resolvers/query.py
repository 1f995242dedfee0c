"""The root of all queries."""

from __future__ import annotations

import strawberry

from app.domain.boards.board import TOP, board_of
from app.domain.ids import parse_user_id
from app.domain.users import Profile
from app.resolvers.arguments import At, CategoryId, InCategory, Info, Limit, Offset, PeriodOf, UserId
from app.resolvers.catalogue import CatalogueQueries
from app.resolvers.history import HistoryQueries
from app.resolvers.leaderboard_objects import leaderboard_for
from app.resolvers.moderation import ModerationQueries
from app.resolvers.players import PlayerQueries
from app.resolvers.selection import views_below
from app.schema.boards.leaderboard import Leaderboard, UserRank
from app.schema.catalogue.catalogue import Action, Category
from app.schema.enums import Period
from app.schema.players.users import User
from app.schema.players.viewer import Allowance, Viewer


@strawberry.type(description="Operations that read data. They never change anything and are safe to repeat.")
class Query(PlayerQueries, HistoryQueries, CatalogueQueries, ModerationQueries):
    @strawberry.field(
        description=(
            "The leaderboard of a category and period. Use `limit` and `offset` for the top of the board, "
            "`standings` to page through all of it."
        ),
        metadata={"grounded": True},
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
        boards, catalogue = info.context.services.leaderboards, info.context.services.catalogue
        kind = boards.category(category, period)
        board = boards.board(kind, period, at)
        extra_views = views_below(info, board)
        if not extra_views and offset + limit <= TOP:
            info.context.depends_on(lambda: boards.current_head(board), lambda: catalogue.current)
        page = await boards.page(board, limit, offset, extra_views)
        return leaderboard_for(page, kind, limit)

    @strawberry.field(
        description="A user's score and rank on a board. A user without a score has a null `rank` and a `score` of 0."
    )
    async def user_rank(
        self,
        info: Info,
        user_id: UserId,
        category: CategoryId = "global",
        period: PeriodOf = Period.ALL_TIME,
        at: At = None,
    ) -> UserRank | None:
        boards = info.context.services.leaderboards
        kind = boards.category(category, period)
        place, profile = await boards.place(boards.board(kind, period, at), parse_user_id(user_id))
        return UserRank.of(place, User.of(profile))

    @strawberry.field(
        description="The caller: role, rank, open action tokens and rate limits. Requires an access token.",
        metadata={"viewer": True},
    )
    async def me(self, info: Info) -> Viewer:
        services, caller = info.context.services, info.context.require_caller()
        profile = (await services.profiles.get([caller.user_id])).get(caller.user_id)
        user = User.of(profile or Profile(caller.user_id, caller.username, caller.avatar_url, None))
        board = board_of("global", Period.ALL_TIME, services.clock())
        (place,) = await services.boards.places(board, [caller.user_id])
        allowances = await services.rate_limiter.allowances(caller)
        return Viewer(
            user=user,
            role=caller.role,
            rank=UserRank.of(place, user),
            open_tokens=await services.action_tokens.count_open(caller.user_id),
            max_open_tokens=services.max_open_tokens,
            limits=[Allowance.of(activity, left) for activity, left in allowances.items()],
            held=lambda: services.moderation.reviews.held(caller.user_id),
        )

    @strawberry.field(
        description="The actions that users can complete, and the points they pay.", metadata={"grounded": True}
    )
    async def actions(self, info: Info, category: InCategory = None) -> list[Action]:
        services = info.context.services
        info.context.depends_on(lambda: services.catalogue.current)
        catalogue = services.catalogue.current
        if category is not None:
            catalogue.category(category)
        return [
            Action.of(action, catalogue.category(action.category))
            for action in catalogue.actions.values()
            if category in (None, action.category)
        ]

    @strawberry.field(description="All categories. Each has its own set of leaderboards.", metadata={"grounded": True})
    async def categories(self, info: Info) -> list[Category]:
        services = info.context.services
        info.context.depends_on(lambda: services.catalogue.current)
        return [Category.of(category) for category in services.catalogue.current.categories.values()]
