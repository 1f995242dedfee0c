"""Arguments that fields of several types have in common."""

from __future__ import annotations

from typing import Annotated

import strawberry

from app.schema.enums import Period
from app.schema.scalars import Score

DEFAULT_FIRST = 20
"""Entries of a page of a list that is not a board, unless `first` says otherwise."""
DEFAULT_STANDINGS = 50
"""Entries of a page of standings, unless `first` or `last` says otherwise."""

CategoryId = Annotated[str, strawberry.argument(description="The `id` of a category, as listed by `categories`.")]
PeriodOf = Annotated[
    Period, strawberry.argument(description="The period of the board: all time, or one UTC day, week or month.")
]
UserId = Annotated[strawberry.ID, strawberry.argument(description="The id of a user: a UUID.")]
Radius = Annotated[
    int, strawberry.argument(description="How many entries to include above and below the user, from 0 to 49.")
]
UserIds = Annotated[
    list[strawberry.ID], strawberry.argument(description="The ids of the users to compare: at most 100.")
]
OptionalUserId = Annotated[
    strawberry.ID | None, strawberry.argument(description="The id of a user: a UUID. Omit it for the caller.")
]
First = Annotated[
    int | None, strawberry.argument(description="How many entries to return, from 1 to 100. Null means the default.")
]
FirstOfStandings = Annotated[
    int | None,
    strawberry.argument(
        description=("How many entries to return, from 1 to 100. Null means the default. Ignored when `last` is given.")
    ),
]
AtRank = Annotated[
    int | None,
    strawberry.argument(description="Begin with this rank, from 1 on. The page is empty if fewer users are ranked."),
]
AtScore = Annotated[
    Score | None,
    strawberry.argument(description="Begin with the first user whose score is not better than this one."),
]
After = Annotated[
    str | None,
    strawberry.argument(
        description=(
            "The `endCursor` of the previous page: return the entries after it. Omit it to start with the newest."
        )
    ),
]
AfterCursor = Annotated[
    str | None,
    strawberry.argument(
        description=(
            "Return the entries after this cursor: the `endCursor` of the previous page. Omit it to start at the "
            "top of the board."
        )
    ),
]
Last = Annotated[
    int | None,
    strawberry.argument(
        description=(
            "For paging backward: how many entries to return, from 1 to 100. Without `before`, returns the last "
            "entries of the board."
        )
    ),
]
BeforeCursor = Annotated[
    str | None,
    strawberry.argument(
        description=(
            "For paging backward: return the entries immediately before this cursor, in board order. Cannot be "
            "combined with `after`."
        )
    ),
]
