"""Arguments that several fields take, described once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry

from app.context import Context
from app.schema.arguments import UserId as UserId
from app.schema.enums import Period

Info = strawberry.Info[Context, None]

CategoryId = Annotated[str, strawberry.argument(description="The id of a category.")]
InCategory = Annotated[str | None, strawberry.argument(description="The id of a category; all of them when omitted.")]
PeriodOf = Annotated[Period, strawberry.argument(description="The period of the board.")]
At = Annotated[
    datetime | None,
    strawberry.argument(
        description=(
            "Any instant of the window that is meant; for ALL_TIME the instant as of which the board is shown. "
            "Omitted: the board as it is now."
        )
    ),
]
Limit = Annotated[int, strawberry.argument(description="How many entries, 1 to 100.")]
Offset = Annotated[int, strawberry.argument(description="How many entries to skip, 0 to 10000.")]
