"""Arguments that several fields take, described once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry

from app.context import Context
from app.domain.errors import BadUserInput
from app.schema.enums import Period

Info = strawberry.Info[Context, None]

CategoryId = Annotated[str, strawberry.argument(description="The id of a category.")]
PeriodOf = Annotated[Period, strawberry.argument(description="The period of the board.")]
At = Annotated[
    datetime | None,
    strawberry.argument(description="Any instant of the window that is meant; the open window when omitted."),
]
Limit = Annotated[int, strawberry.argument(description="How many entries, 1 to 100.")]
Offset = Annotated[int, strawberry.argument(description="How many entries to skip, 0 to 10000.")]
UserId = Annotated[strawberry.ID, strawberry.argument(description="The id of a user.")]


def user_id_of(argument: str) -> UUID:
    """The user id that an argument means. Raises BadUserInput for anything that is not a UUID."""
    try:
        return UUID(argument)
    except ValueError:
        raise BadUserInput("A user id is a UUID.") from None
