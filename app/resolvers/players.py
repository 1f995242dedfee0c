"""Players: the caller, profiles, histories and milestones."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Annotated

import strawberry

from app.context import Services
from app.domain.ids import parse_id
from app.domain.users import Caller, Role
from app.resolvers.arguments import CategoryId, Info, PeriodOf, UserId
from app.resolvers.authorization import VIEWER
from app.schema import lookups
from app.schema.arguments import DEFAULT_FIRST, After, First
from app.schema.connections import Connection
from app.schema.enums import Period, Step
from app.schema.ledger.transactions import Transaction, transaction_page
from app.schema.players.milestones import Milestone
from app.schema.players.profiles import PlayerProfile
from app.schema.players.score_history import RankHistory, ScoreHistory
from app.schema.players.users import User
from app.schema.players.viewer import Viewer, ViewerReads
from app.services.players.find_players import MAX_FOUND, MAX_SEARCH_LENGTH

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
Search = Annotated[
    str, strawberry.argument(description=f"The beginning of the name: 1 to {MAX_SEARCH_LENGTH} characters.")
]
FirstFound = Annotated[
    int | None,
    strawberry.argument(description=f"How many players to return, from 1 to {MAX_FOUND}. Null means the default."),
]
MilestonesOf = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="The id of a user. Omit it to receive the milestones of all users."),
]


async def viewer_of(services: Services, caller: Caller) -> Viewer:
    """Read what a caller may see of themselves."""
    reads = ViewerReads(
        partial(services.viewer.standing, caller.user_id), partial(services.viewer.held_scores, caller.user_id)
    )
    return Viewer.of(await services.viewer(caller), reads)


@strawberry.type
class PlayerQueryFields:
    """Queries about users."""

    @strawberry.field(
        description=(
            "A user's totals, averages, last action and achievements. Null if no such user exists. A hidden user "
            "is visible only to themselves and to moderators."
        ),
        metadata=VIEWER | {"lookups": lookups.profile},
    )
    async def user(self, info: Info, id: UserId) -> PlayerProfile | None:
        """Read a profile."""
        services = info.context.services
        profile = await services.player_profile(parse_id("id", id), info.context.caller)
        return None if profile is None else PlayerProfile.of(profile, services.catalogue.current)

    @strawberry.field(
        description=(
            "Players whose names begin with a text, in the order of their names. Case and accents do not matter. "
            "Hidden players are left out."
        ),
        metadata={"lookups": lookups.search},
    )
    async def players(self, info: Info, search: Search, first: FirstFound = DEFAULT_FIRST) -> list[User]:
        """Find players by name."""
        found = await info.context.services.players.search(search, DEFAULT_FIRST if first is None else first)
        return [User.of(profile) for profile in found]

    @strawberry.field(
        description=(
            "A user's all-time score in a category over time, computed from the ledger. Returns at most 750 "
            "points: choose a longer `step` for a long time range."
        ),
        metadata=VIEWER | {"lookups": lookups.score_history},
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
        player, viewer = parse_id("userId", user_id), info.context.caller
        profile, history = await services.history.scores(player, kind, begin, end, step, viewer)
        return ScoreHistory.of(history, profile, kind, services.clock())

    @strawberry.field(
        description=(
            "A user's final ranks in past windows of a period: those that began between `from` and `to` and have "
            "been closed. A window is closed about half a minute after its end."
        ),
        metadata=VIEWER | {"lookups": lookups.rank_history},
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
        player, viewer = parse_id("userId", user_id), info.context.caller
        profile, points = await services.history.ranks(player, kind, period, begin, end, viewer)
        return RankHistory.of(points, profile, kind, period)

    @strawberry.field(
        description="A user's transactions in all categories, newest first. Visible to the user and to moderators.",
        metadata={"viewer": True, "lookups": lookups.rows},
    )
    async def transactions(
        self, info: Info, user_id: UserId, first: First = DEFAULT_FIRST, after: After = None
    ) -> Connection[Transaction]:
        """Read a user's transactions."""
        caller, player = info.context.require_caller(), parse_id("userId", user_id)
        entries, has_more = await info.context.services.history.transactions(
            caller, player, DEFAULT_FIRST if first is None else first, after
        )
        return transaction_page(
            player,
            entries,
            is_first=after is None,
            has_more=has_more,
            with_reason=caller.role is Role.MODERATOR,
        )

    @strawberry.field(
        description="The caller: role, rank, open action tokens and rate limits. Null without an access token.",
        metadata={"viewer": True},
    )
    async def me(self, info: Info) -> Viewer | None:
        """Read the viewer."""
        caller = info.context.caller
        return None if caller is None else await viewer_of(info.context.services, caller)


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
