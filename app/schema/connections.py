"""Connections: lists in pages, following the Relay specification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import strawberry

T = TypeVar("T")


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

    @staticmethod
    def of(cursors: Sequence[str], *, has_next: bool, has_previous: bool) -> PageInfo:
        """Describe the page whose entries have these cursors."""
        return PageInfo(
            has_next_page=has_next,
            has_previous_page=has_previous,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )


@strawberry.type(description="An entry of a page, with its cursor.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="An opaque cursor of this entry, valid for the same list only.")
    node: T = strawberry.field(description="The entry at this position of the list.")


@strawberry.type(description="One page of a list, newest first.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = strawberry.field(description="The entries of the page with their cursors.")
    nodes: list[T] = strawberry.field(description="The entries of the page without their cursors.")
    page_info: PageInfo = strawberry.field(description="The cursors of the page, and whether there are more entries.")

    @staticmethod
    def of(nodes: Sequence[T], cursors: Sequence[str], *, is_first: bool, has_more: bool) -> Connection[T]:
        """Convert a page of a list that is paged forward."""
        return Connection(
            edges=[Edge(cursor=cursor, node=node) for cursor, node in zip(cursors, nodes, strict=True)],
            nodes=list(nodes),
            page_info=PageInfo.of(cursors, has_next=has_more, has_previous=not is_first),
        )
