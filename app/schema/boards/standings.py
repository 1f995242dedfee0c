"""What can be asked of a board besides its page, and the lists that answer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import strawberry

from app.domain.boards.board import TOP, Board, Page
from app.domain.boards.cursors import board_cursor, parse_board_cursor
from app.domain.boards.views import After, Around, Before, Position, Slice, UserSelection, View
from app.domain.catalogue.catalogue import SortOrder
from app.domain.errors import BadUserInput
from app.domain.ids import parse_user_id
from app.domain.ledger.scoring import sort_key
from app.schema.boards.entries import LeaderboardEntry

MAX_RADIUS = 49
MAX_FRIENDS = 100


@strawberry.type(description="The position of a page within its list, following the Relay specification.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="True if there are entries after this page.")
    has_previous_page: bool = strawberry.field(description="True if there are entries before this page.")
    start_cursor: str | None = strawberry.field(
        description=(
            "The cursor of the first entry; pass it as `before` where backward paging is supported. Null if the "
            "page is empty."
        )
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last entry; pass it as `after` to get the next page. Null if the page is empty."
    )


@strawberry.type(description="An entry of a page of standings, with its cursor.")
class StandingEdge:
    cursor: str = strawberry.field(description="An opaque cursor of this entry, valid for this board and window only.")
    node: LeaderboardEntry = strawberry.field(description="The entry at this position.")


@strawberry.type(description="One page of a board. All ranks and totals belong to the same version of the board.")
class StandingConnection:
    edges: list[StandingEdge] = strawberry.field(
        description="The entries of the page with their cursors, in order of rank."
    )
    nodes: list[LeaderboardEntry] = strawberry.field(
        description="The entries of the page without their cursors, in order of rank."
    )
    page_info: PageInfo = strawberry.field(description="The cursors of the page, and whether there are more entries.")
    total_count: int = strawberry.field(description="How many users are ranked on the whole board.")

    @staticmethod
    def of(page: Page, order: SortOrder) -> StandingConnection:
        key = page.board.key
        nodes = [LeaderboardEntry.of(entry, key) for entry in page.entries]
        cursors = [
            board_cursor(
                page.board, Position(sort_key(order, entry.score), entry.reached_at, entry.user.id)
            )
            for entry in page.entries
        ]  # fmt: skip
        return StandingConnection(
            edges=[StandingEdge(cursor=cursor, node=node) for cursor, node in zip(cursors, nodes, strict=True)],
            nodes=nodes,
            page_info=PageInfo(
                has_next_page=page.offset + len(nodes) < page.total_users,
                has_previous_page=page.offset > 0,
                start_cursor=cursors[0] if cursors else None,
                end_cursor=cursors[-1] if cursors else None,
            ),
            total_count=page.total_users,
        )


@strawberry.type(description="One of the compared users: the rank among them, and the entry on the whole board.")
class FriendStanding:
    rank: int = strawberry.field(description="The position among the compared users, starting at 1. Never shared.")
    competition_rank: int = strawberry.field(
        description="1 plus the number of compared users with a better score, so users with equal scores share it."
    )
    entry: LeaderboardEntry = strawberry.field(
        description="The user's entry on the whole board, with the rank among all users."
    )

    @staticmethod
    def all_of(page: Page) -> list[FriendStanding]:
        """The chosen users in board order."""
        standings: list[FriendStanding] = []
        first, key = 0, page.board.key
        for standing, entry in enumerate(page.entries):
            if entry.competition_rank != page.entries[first].competition_rank:
                first = standing
            standings.append(
                FriendStanding(rank=standing + 1, competition_rank=first + 1, entry=LeaderboardEntry.of(entry, key))
            )
        return standings


def around_view(user_id: str, radius: int) -> Around:
    """Raises BadUserInput."""
    if not 0 <= radius <= MAX_RADIUS:
        raise BadUserInput(f"`radius` must be between 0 and {MAX_RADIUS}.")
    return Around(parse_user_id(user_id), radius)


def friends_view(user_ids: list[Any]) -> UserSelection:
    """Raises BadUserInput."""
    users: frozenset[UUID] = frozenset(map(parse_user_id, user_ids))
    if len(user_ids) > MAX_FRIENDS:
        raise BadUserInput(f"`userIds` must have at most {MAX_FRIENDS} ids.")
    return UserSelection(users)


def standings_view(
    board: Board, first: int, after: str | None, last: int | None, before: str | None
) -> After | Before | Slice:
    """Forward from `after`, or backward from `before` when that or `last` is given. Raises BadUserInput."""
    backward = last is not None or before is not None
    size = first if last is None else last
    if not 1 <= size <= TOP:
        raise BadUserInput(f"`{'first' if last is None else 'last'}` must be between 1 and {TOP}.")
    if backward and after is not None:
        raise BadUserInput("`after` cannot be combined with `before` or `last`.")
    if backward:
        return Before(None if before is None else parse_board_cursor(board, before), size)
    return Slice(0, size) if after is None else After(parse_board_cursor(board, after), size)


VIEWS: Mapping[str, Callable[[Board, Mapping[str, Any]], View[Page]]] = {
    "around": lambda board, given: around_view(given["userId"], given["radius"]),
    "friends": lambda board, given: friends_view(given["userIds"]),
    "standings": lambda board, given: standings_view(
        board, given["first"], given.get("after"), given.get("last"), given.get("before")
    ),
}
"""By the name of a field of a board: the view that answers it, for its arguments. Each may raise BadUserInput."""
