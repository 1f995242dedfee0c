"""Queries about a player's past."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from app.domain.ids import parse_user_id
from app.domain.users import Role
from app.resolvers.arguments import CategoryId, Info, PeriodOf, UserId
from app.schema.enums import Period, Step
from app.schema.ledger.transactions import TransactionConnection
from app.schema.players.score_history import RankHistory, ScoreHistory

From = Annotated[
    datetime,
    strawberry.argument(name="from", description="Start of the time range, inclusive. It must have a time zone."),
]
To = Annotated[
    datetime,
    strawberry.argument(
        name="to", description="End of the time range, exclusive. It must have a time zone and be later than `from`."
    ),
]
StepOf = Annotated[Step, strawberry.argument(description="The length of the interval between two points.")]
First = Annotated[int, strawberry.argument(description="How many transactions to return, from 1 to 100.")]
After = Annotated[
    str | None,
    strawberry.argument(
        description=(
            "The `endCursor` of the previous page: return the transactions after it. Omit it to start with the newest."
        )
    ),
]


@strawberry.type
class HistoryQueries:
    @strawberry.field(
        description=(
            "A user's all-time score in a category over time, computed from the ledger. Returns at most 750 "
            "points: choose a longer `step` for a long time range."
        )
    )
    async def score_history(
        self,
        info: Info,
        user_id: UserId,
        begin: From,
        end: To,
        category: CategoryId = "global",
        step: StepOf = Step.DAY,
    ) -> ScoreHistory:
        services = info.context.services
        kind = services.catalogue.current.category(category)
        profile, history = await services.history.scores(parse_user_id(user_id), kind, begin, end, step)
        return ScoreHistory.of(history, profile, kind, services.clock())

    @strawberry.field(
        description=(
            "A user's final ranks in past windows of a period: those that began between `from` and `to` and have "
            "been closed. A window is closed about half a minute after its end."
        )
    )
    async def rank_history(
        self,
        info: Info,
        user_id: UserId,
        begin: From,
        end: To,
        category: CategoryId = "global",
        period: PeriodOf = Period.DAILY,
    ) -> RankHistory:
        services = info.context.services
        kind = services.leaderboards.category(category, period)
        profile, points = await services.history.ranks(parse_user_id(user_id), kind, period, begin, end)
        return RankHistory.of(points, profile, kind, period)

    @strawberry.field(
        description="A user's transactions in all categories, newest first. Visible to the user and to moderators.",
        metadata={"viewer": True},
    )
    async def transactions(
        self, info: Info, user_id: UserId, first: First = 20, after: After = None
    ) -> TransactionConnection:
        caller, player = info.context.require_caller(), parse_user_id(user_id)
        entries, has_more = await info.context.services.history.transactions(caller, player, first, after)
        return TransactionConnection.of(
            player,
            entries,
            is_first=after is None,
            has_more=has_more,
            with_reason=caller.role is Role.MODERATOR,
        )
