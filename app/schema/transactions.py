"""The entries of a player's ledger, as the player and moderators see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry

from app.domain.cursors import ledger_cursor
from app.domain.ledger_entries import LedgerEntry
from app.schema.enums import TransactionKind
from app.schema.standings import PageInfo


@strawberry.type(description="One entry in a player's ledger. Entries are only ever added.")
class Transaction:
    id: strawberry.ID = strawberry.field(description="A UUID; the `transactionId` of a receipt.")
    seq: int = strawberry.field(description="Position in the player's ledger, from 1, without gaps.")
    kind: TransactionKind = strawberry.field(description="Why there is an entry.")
    category: strawberry.ID | None = strawberry.field(
        description="The id of the category; null for what is about the player as a whole."
    )
    action_type: str | None = strawberry.field(description="The id of the action, if there was one.")
    points: int = strawberry.field(description="What was asked for, before the cap.")
    delta: int = strawberry.field(description="What the all-time score in the category gained.")
    score: int = strawberry.field(description="The all-time score in the category afterwards.")
    actor_role: str = strawberry.field(description="In which role somebody caused it.")
    reason: str | None = strawberry.field(description="What a moderator wrote. Shown to moderators.")
    created_at: datetime = strawberry.field(description="When it was recorded.")

    @staticmethod
    def of(entry: LedgerEntry, *, with_reason: bool) -> Transaction:
        return Transaction(
            id=strawberry.ID(str(entry.id)),
            seq=entry.seq,
            kind=entry.kind,
            category=None if entry.category_id is None else strawberry.ID(entry.category_id),
            action_type=entry.action_id,
            points=entry.points,
            delta=entry.delta,
            score=entry.score,
            actor_role=entry.actor_role,
            reason=entry.reason if with_reason else None,
            created_at=entry.created_at,
        )


@strawberry.type(description="One element of a page of transactions.")
class TransactionEdge:
    cursor: str = strawberry.field(description="Opaque: good for this player's transactions alone.")
    node: Transaction = strawberry.field(description="The transaction.")


@strawberry.type(description="A page of a player's transactions, the newest first.")
class TransactionConnection:
    edges: list[TransactionEdge] = strawberry.field(description="The page.")
    nodes: list[Transaction] = strawberry.field(description="The transactions of the page without their cursors.")
    page_info: PageInfo = strawberry.field(description="Where the page begins and ends.")

    @staticmethod
    def of(
        user_id: UUID, entries: Sequence[LedgerEntry], *, is_first: bool, has_more: bool, with_reason: bool
    ) -> TransactionConnection:
        nodes = [Transaction.of(entry, with_reason=with_reason) for entry in entries]
        cursors = [ledger_cursor(user_id, entry.seq) for entry in entries]
        return TransactionConnection(
            edges=[TransactionEdge(cursor=cursor, node=node) for cursor, node in zip(cursors, nodes, strict=True)],
            nodes=nodes,
            page_info=PageInfo(
                has_next_page=has_more,
                has_previous_page=not is_first,
                start_cursor=cursors[0] if cursors else None,
                end_cursor=cursors[-1] if cursors else None,
            ),
        )
