"""Arguments that fields of several types take, described once."""

from __future__ import annotations

from typing import Annotated

import strawberry

UserId = Annotated[strawberry.ID, strawberry.argument(description="The id of a user.")]
Radius = Annotated[int, strawberry.argument(description="How many entries on each side, 0 to 49.")]
UserIds = Annotated[list[strawberry.ID], strawberry.argument(description="The ids of up to 100 users.")]
First = Annotated[int, strawberry.argument(description="How many entries, 1 to 100.")]
AfterCursor = Annotated[
    str | None, strawberry.argument(description="Go on behind this cursor; begin at the top when omitted.")
]
Last = Annotated[
    int | None,
    strawberry.argument(description="How many entries backward, 1 to 100: those before `before`, or the last ones."),
]
BeforeCursor = Annotated[
    str | None,
    strawberry.argument(description="Go back from this cursor: the entries right before it, in board order."),
]
