"""What callers can see about themselves."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

import strawberry

from app.domain import rate_limits as limits
from app.domain.boards.board import UserStanding
from app.domain.players import viewer as domain
from app.domain.rules.flags import Flag
from app.schema import lookups
from app.schema.arguments import CategoryId, PeriodOf
from app.schema.boards.leaderboard import UserRank
from app.schema.enums import Activity, Period, Role
from app.schema.moderation.moderation import HeldScore
from app.schema.nodes import Node, node_id
from app.schema.players.users import User


@dataclass(frozen=True, slots=True)
class ViewerReads:
    """Reads what few operations select of the caller."""

    standing: Callable[[str, Period], Awaitable[UserStanding]]
    held_scores: Callable[[], Awaitable[Sequence[Flag]]]


@strawberry.type(description="The state of one of the caller's rate limits.")
class Allowance:
    id: strawberry.ID = strawberry.field(description="A stable identifier of the caller and the kind of operation.")
    activity: Activity = strawberry.field(
        description=(
            "The kind of operation that is limited. Every root field of an operation counts by its weight, also "
            "when it is aliased: 1, and more if it asks for much."
        )
    )
    limit: int = strawberry.field(description="The weight that is allowed within any `window` seconds.")
    window: int = strawberry.field(description="The length of the sliding time window, in seconds.")
    remaining: int = strawberry.field(description="The weight that is still allowed at the moment.")
    resets_in: int = strawberry.field(
        description="How many seconds until the whole limit is available again, if nothing more is used."
    )

    @staticmethod
    def of(user_id: UUID, activity: Activity, left: limits.Allowance) -> Allowance:
        """Convert an allowance."""
        limit, remaining, resets_in = left
        return Allowance(
            id=node_id("Allowance", f"{user_id}/{activity.value}"),
            activity=activity,
            limit=limit.max_hits,
            window=limit.seconds,
            remaining=remaining,
            resets_in=math.ceil(resets_in),
        )


@strawberry.type(description="Information about the caller that only the caller can see.")
class Viewer(Node):
    id: strawberry.ID = strawberry.field(description="A stable identifier of the caller.")
    user: User = strawberry.field(description="The caller's public data, as other users see it.")
    role: Role = strawberry.field(description="The caller's role, taken from the access token.")
    open_tokens: int = strawberry.field(
        description="How many of the caller's action tokens are neither used nor expired."
    )
    max_open_tokens: int = strawberry.field(description="How many open action tokens the caller may have at a time.")
    limits: list[Allowance] = strawberry.field(
        description="The state of the caller's rate limits. Empty if rate limiting is switched off."
    )

    reads: strawberry.Private[ViewerReads]

    @strawberry.field(
        description="The caller's position on the current board of a category and period.",
        metadata={"lookups": lookups.own_entry},
    )
    async def rank(self, category: CategoryId = "global", period: PeriodOf = Period.ALL_TIME) -> UserRank:
        """Read the caller's standing."""
        return UserRank.of(await self.reads.standing(category, period), self.user)

    @strawberry.field(
        description=(
            "The caller's newest 100 completions that are, or were, held for review by a moderator. Their points "
            "do not count until they are released."
        ),
        metadata={"lookups": lookups.held_scores},
    )
    async def held_scores(self) -> list[HeldScore]:
        """Read the held scores, which few operations select."""
        return [HeldScore.of(flag) for flag in await self.reads.held_scores()]

    @staticmethod
    def of(viewer: domain.Viewer, reads: ViewerReads) -> Viewer:
        """Convert a viewer."""
        user = User.of(viewer.profile)
        return Viewer(
            id=node_id("Viewer", user.id),
            user=user,
            role=viewer.caller.role,
            open_tokens=viewer.open_tokens,
            max_open_tokens=viewer.max_open_tokens,
            limits=[
                Allowance.of(viewer.caller.user_id, activity, allowance)
                for activity, allowance in viewer.allowances.items()
            ],
            reads=reads,
        )
