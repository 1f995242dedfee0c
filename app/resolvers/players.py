"""Players and what they did."""

from __future__ import annotations

import strawberry

from app.domain.ids import parse_user_id
from app.resolvers.arguments import Info, UserId
from app.schema.players.profiles import PlayerProfile


@strawberry.type
class PlayerQueries:
    @strawberry.field(
        description=(
            "A user's totals, averages, last action and achievements. Null if no such user exists. A hidden user "
            "is visible only to themselves and to moderators."
        ),
        metadata={"viewer": True},  # A hidden player is seen by themselves and moderators alone.
    )
    async def user(self, info: Info, id: UserId) -> PlayerProfile | None:
        services = info.context.services
        profile = await services.player_profile(parse_user_id(id), info.context.caller)
        return None if profile is None else PlayerProfile.of(profile, services.catalogue.current)
