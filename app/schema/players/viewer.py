"""What callers can see about themselves."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence

import strawberry

from app.domain import rate_limits as limits
from app.domain.players import viewer as domain
from app.domain.rules.flags import Flag
from app.schema import lookups
from app.schema.boards.leaderboard import UserRank
from app.schema.enums import Activity, Role
from app.schema.moderation.moderation import HeldScore
from app.schema.players.users import User


@strawberry.type(description="The state of one of the caller's rate limits.")
class Allowance:
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
    def of(activity: Activity, left: limits.Allowance) -> Allowance:
        """Convert an allowance."""
        limit, remaining, resets_in = left
        return Allowance(
            activity=activity,
            limit=limit.max_hits,
            window=limit.seconds,
            remaining=remaining,
            resets_in=math.ceil(resets_in),
        )


@strawberry.type(description="Information about the caller that only the caller can see.")
class Viewer:
    user: User = strawberry.field(description="The caller's public data, as other users see it.")
    role: Role = strawberry.field(description="The caller's role, taken from the access token.")
    rank: UserRank = strawberry.field(
        description="The caller's position on the all-time board of the category `global`."
    )
    open_tokens: int = strawberry.field(
        description="How many of the caller's action tokens are neither used nor expired."
    )
    max_open_tokens: int = strawberry.field(description="How many open action tokens the caller may have at a time.")
    limits: list[Allowance] = strawberry.field(
        description="The state of the caller's rate limits. Empty if rate limiting is switched off."
    )

    read_held: strawberry.Private[Callable[[], Awaitable[Sequence[Flag]]]]

    @strawberry.field(
        description=(
            "The caller's newest 100 completions that are, or were, held for review by a moderator. Their points "
            "do not count until they are released."
        ),
        metadata={"lookups": lookups.held_scores},
    )
    async def held_scores(self) -> list[HeldScore]:
        """Read the held scores, which few operations select."""
        return [HeldScore.of(flag) for flag in await self.read_held()]

    @staticmethod
    def of(viewer: domain.Viewer, read_held: Callable[[], Awaitable[Sequence[Flag]]]) -> Viewer:
        """Convert a viewer; `read_held` reads the caller's held scores."""
        user = User.of(viewer.profile)
        return Viewer(
            user=user,
            role=viewer.caller.role,
            rank=UserRank.of(viewer.standing, user),
            open_tokens=viewer.open_tokens,
            max_open_tokens=viewer.max_open_tokens,
            limits=[Allowance.of(activity, allowance) for activity, allowance in viewer.allowances.items()],
            read_held=read_held,
        )
