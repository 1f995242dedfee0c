"""Pages of standings, and comparisons of users."""

from __future__ import annotations

import strawberry

from app.domain.boards.board import Page
from app.domain.boards.cursors import board_cursor
from app.domain.boards.views import Position
from app.domain.catalogue.catalogue import Category
from app.domain.ledger.scoring import sort_key
from app.schema.boards.entries import LeaderboardEntry, PageOfEntries, ReadMovement
from app.schema.connections import PageInfo


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
    def of(page: Page, category: Category, read_movement: ReadMovement) -> StandingConnection:
        """Convert a page of a board of `category`."""
        nodes = PageOfEntries(page, category.score_format, read_movement).entries
        cursors = [
            board_cursor(
                page.board, Position(sort_key(category.sort_order, entry.score), entry.reached_at, entry.user.id)
            )
            for entry in page.entries
        ]  # fmt: skip
        return StandingConnection(
            edges=[StandingEdge(cursor=cursor, node=node) for cursor, node in zip(cursors, nodes, strict=True)],
            nodes=nodes,
            page_info=PageInfo.of(
                cursors, has_next=page.offset + len(nodes) < page.total_users, has_previous=page.offset > 0
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
    def all_of(page: Page, category: Category, read_movement: ReadMovement) -> list[FriendStanding]:
        """Convert a page of selected users of a board of `category`."""
        standings: list[FriendStanding] = []
        first = 0
        converted = PageOfEntries(page, category.score_format, read_movement).entries
        for standing, entry in enumerate(page.entries):
            if entry.competition_rank != page.entries[first].competition_rank:
                first = standing
            standings.append(FriendStanding(rank=standing + 1, competition_rank=first + 1, entry=converted[standing]))
        return standings
