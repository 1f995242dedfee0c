"""The caller's own view."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence

import strawberry

from app.domain import limits
from app.domain.flags import Flag
from app.schema.boards import UserRank
from app.schema.enums import Activity, Role
from app.schema.moderation import HeldScore
from app.schema.users import User


@strawberry.type(description="What is left of one of the caller's rate limits.")
class Allowance:
    activity: Activity = strawberry.field(description="What is limited. Every field counts, aliased or not.")
    limit: int = strawberry.field(description="How many are allowed in any stretch of `window` seconds.")
    window: int = strawberry.field(description="The stretch of time the limit is about, in seconds.")
    remaining: int = strawberry.field(description="How many are allowed now.")
    resets_in: int = strawberry.field(description="Seconds without any after which all of them are allowed again.")

    @staticmethod
    def of(activity: Activity, left: limits.Allowance) -> Allowance:
        """What the schema shows of an allowance."""
        limit, remaining, resets_in = left
        return Allowance(
            activity=activity,
            limit=limit.most,
            window=limit.seconds,
            remaining=remaining,
            resets_in=math.ceil(resets_in),
        )


@strawberry.type(description="What only the caller sees.")
class Viewer:
    user: User = strawberry.field(description="The caller as others see them.")
    role: Role = strawberry.field(description="What the caller may do.")
    rank: UserRank = strawberry.field(description="Where the caller stands on the global all-time board.")
    open_tokens: int = strawberry.field(description="Action tokens issued and neither used nor expired.")
    max_open_tokens: int = strawberry.field(description="How many of them are allowed at a time.")
    limits: list[Allowance] = strawberry.field(
        description="What is left of the caller's rate limits; empty where there are none."
    )

    held: strawberry.Private[Callable[[], Awaitable[Sequence[Flag]]]]

    @strawberry.field(
        description=(
            "The caller's completions that wait, or waited, for a moderator; the newest 100. "
            "They count nowhere until they are released."
        )
    )
    async def held_scores(self) -> list[HeldScore]:
        return [HeldScore.of(flag) for flag in await self.held()]
