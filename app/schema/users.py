"""Users, as others see them and as they see themselves."""

from __future__ import annotations

from datetime import datetime

import strawberry

from app.domain import users as domain


@strawberry.type(description="A player.")
class User:
    id: strawberry.ID = strawberry.field(description="A UUID; it never changes.")
    username: str = strawberry.field(description="The name on boards, unique, up to 60 characters of plain text.")
    avatar_url: str | None = strawberry.field(description="A picture, if the user has one.")
    created_at: datetime | None = strawberry.field(
        description="When the user was first seen; null for a caller who has not done anything yet."
    )

    @staticmethod
    def of(profile: domain.Profile) -> User:
        return User(
            id=strawberry.ID(str(profile.id)),
            username=profile.username,
            avatar_url=profile.avatar_url,
            created_at=profile.created_at,
        )
