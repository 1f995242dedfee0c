"""Users: public names and pictures."""

from __future__ import annotations

from datetime import datetime

import strawberry

from app.domain import users as domain
from app.schema.nodes import Node


@strawberry.type(description="A user of the service: a player with a public name.")
class User(Node):
    id: strawberry.ID = strawberry.field(description="A UUID. It never changes.")
    username: str = strawberry.field(description="The unique name that boards show: plain text of 1 to 60 characters.")
    avatar_url: str | None = strawberry.field(description="The URL of the user's picture. Null if there is none.")
    created_at: datetime | None = strawberry.field(
        description="When the service first saw the user. Null for a caller who has not done anything yet."
    )

    @staticmethod
    def of(profile: domain.Profile) -> User:
        """Convert a profile."""
        return User(
            id=strawberry.ID(str(profile.id)),
            username=profile.username,
            avatar_url=profile.avatar_url,
            created_at=profile.created_at,
        )
