"""The caller's own view."""

from __future__ import annotations

import strawberry

from app.schema.boards import UserRank
from app.schema.enums import Role
from app.schema.users import User


@strawberry.type(description="What only the caller sees.")
class Viewer:
    user: User = strawberry.field(description="The caller as others see them.")
    role: Role = strawberry.field(description="What the caller may do.")
    rank: UserRank = strawberry.field(description="Where the caller stands on the global all-time board.")
    open_tokens: int = strawberry.field(description="Action tokens issued and neither used nor expired.")
    max_open_tokens: int = strawberry.field(description="How many of them are allowed at a time.")
