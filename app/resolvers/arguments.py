"""Arguments that fields of several modules have in common."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from app.context import Context
from app.schema.arguments import CategoryId as CategoryId
from app.schema.arguments import PeriodOf as PeriodOf
from app.schema.arguments import UserId as UserId

Info = strawberry.Info[Context, None]

InCategory = Annotated[
    str | None,
    strawberry.argument(
        description="The `id` of a category, as listed by `categories`. Omit it to get the actions of all categories."
    ),
]
At = Annotated[
    datetime | None,
    strawberry.argument(
        description=(
            "A past time, with its time zone. For DAILY, WEEKLY and MONTHLY: selects the board of the window "
            "that contains it. For ALL_TIME: shows the board as it was at that time, rounded down to the second. "
            "Users who are hidden today are hidden in the past as well. Omit it for the current board."
        )
    ),
]
Limit = Annotated[int, strawberry.argument(description="How many entries to return, from 1 to 100.")]
Offset = Annotated[
    int,
    strawberry.argument(
        description=(
            "How many entries to skip from the top of the board, from 0 to 10000. Use `standings` to read further."
        )
    ),
]
