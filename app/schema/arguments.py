"""Arguments that fields of several types have in common."""

from __future__ import annotations

from typing import Annotated

import strawberry

UserId = Annotated[strawberry.ID, strawberry.argument(description="The id of a user: a UUID.")]
Radius = Annotated[
    int, strawberry.argument(description="How many entries to include above and below the user, from 0 to 49.")
]
UserIds = Annotated[
    list[strawberry.ID], strawberry.argument(description="The ids of the users to compare: at most 100.")
]
First = Annotated[
    int, strawberry.argument(description="How many entries to return, from 1 to 100. Ignored when `last` is given.")
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
