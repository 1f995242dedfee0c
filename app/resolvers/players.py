"""Players: the caller, profiles, histories and milestones."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Annotated

import strawberry

from app.domain.ids import parse_id
from app.domain.users import Role
from app.resolvers.arguments import CategoryId, Info, PeriodOf, UserId
from app.schema.enums import Period, Step
from app.schema.ledger.transactions import TransactionConnection
from app.schema.players.milestones import Milestone
from app.schema.players.profiles import PlayerProfile
from app.schema.players.score_history import RankHistory, ScoreHistory
from app.schema.players.viewer import Viewer

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
MilestonesOf = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="The id of a user. Omit it to receive the milestones of all users."),
]


@strawberry.type
class PlayerQueryFields:
    """Queries about users."""

    @strawberry.field(
        description=(
            "A user's totals, averages, last action and achievements. Null if no such user exists. A hidden user "
            "is visible only to themselves and to moderators."
        ),
        metadata={"viewer": True},  # A hidden player is seen by themselves and moderators alone.
    )
    async def user(self, info: Info, id: UserId) -> PlayerProfile | None:
        """Read a profile."""
        services = info.context.services
        profile = await services.player_profile(parse_id("id", id), info.context.caller)
        return None if profile is None else PlayerProfile.of(profile, services.catalogue.current)

    @strawberry.field(
        description=(
            "A user's all-time score in a category over time, computed from the ledger. Returns at most 750 "
            "points: choose a longer `step` for a long time range."
        ),
        metadata={"viewer": True},  # Callers read their own history where their last transaction is certain to be.
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
        """Read a user's scores over time."""
        services = info.context.services
        kind = services.catalogue.current.category(category)
        player = parse_id("userId", user_id)
        profile, history = await services.history.scores(info.context.caller, player, kind, begin, end, step)
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
        """Read a user's final ranks."""
        services = info.context.services
        kind = services.board_queries.category(category, period)
        profile, points = await services.history.ranks(parse_id("userId", user_id), kind, period, begin, end)
        return RankHistory.of(points, profile, kind, period)

    @strawberry.field(
        description="A user's transactions in all categories, newest first. Visible to the user and to moderators.",
        metadata={"viewer": True},
    )
    async def transactions(
        self, info: Info, user_id: UserId, first: First = 20, after: After = None
    ) -> TransactionConnection:
        """Read a user's transactions."""
        caller, player = info.context.require_caller(), parse_id("userId", user_id)
        entries, has_more = await info.context.services.history.transactions(caller, player, first, after)
        return TransactionConnection.of(
            player,
            entries,
            is_first=after is None,
            has_more=has_more,
            with_reason=caller.role is Role.MODERATOR,
        )

    @strawberry.field(
        description="The caller: role, rank, open action tokens and rate limits. Requires an access token.",
        metadata={"viewer": True},
    )
    async def me(self, info: Info) -> Viewer:
        """Read the viewer."""
        viewer = await info.context.services.viewer(info.context.require_caller())
        return Viewer.of(viewer, partial(info.context.services.viewer.held_scores, viewer.caller.user_id))


@strawberry.type
class PlayerSubscriptionFields:
    """Subscriptions to users."""

    @strawberry.subscription(
        description="Milestones at the moment they are reached, by one user or by all. There is no initial message."
    )
    async def milestones(self, info: Info, user_id: MilestonesOf = None) -> AsyncGenerator[Milestone, None]:
        """Watch milestones."""
        player = None if user_id is None else parse_id("userId", user_id)
        async with aclosing(info.context.services.live_updates.milestones(player)) as milestones:
            async for milestone, category in milestones:
                yield Milestone.of(milestone, category)
