"""A user's transactions, for the user and for moderators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import strawberry

from app.domain.boards.cursors import ledger_cursor
from app.domain.ledger.entries import LedgerEntry
from app.schema.connections import Connection
from app.schema.enums import Role, TransactionKind
from app.schema.nodes import Node
from app.schema.scalars import Score

ROLES = {role.value: role for role in Role}


@strawberry.type(description="An entry in a user's ledger. Entries are never changed or removed.")
class Transaction(Node):
    id: strawberry.ID = strawberry.field(description="A UUID, equal to the `transactionId` of the receipt.")
    seq: int = strawberry.field(description="The position in the user's ledger: 1, 2, 3 and so on without gaps.")
    kind: TransactionKind = strawberry.field(description="What caused the entry.")
    category: strawberry.ID | None = strawberry.field(
        description=(
            "The `id` of the category. Null if the entry concerns the user as a whole, for example when the user "
            "was hidden."
        )
    )
    action_type: str | None = strawberry.field(
        description="The `id` of the completed action. Null if the entry is not about an action."
    )
    points: Score = strawberry.field(description="The points that were to be added, before the score cap was applied.")
    delta: Score = strawberry.field(description="The actual change of the all-time score in the category.")
    score: Score = strawberry.field(description="The all-time score in the category after this entry.")
    actor_role: Role | None = strawberry.field(
        description="The role of the caller who caused the entry. Null if the service or its operator did."
    )
    reason: str | None = strawberry.field(
        description="The reason that a moderator gave. Null if there is none, or if the caller is not a moderator."
    )
    created_at: datetime = strawberry.field(description="When the entry was recorded.")

    @staticmethod
    def of(entry: LedgerEntry, *, with_reason: bool) -> Transaction:
        """Convert a transaction."""
        return Transaction(
            id=strawberry.ID(str(entry.id)),
            seq=entry.seq,
            kind=entry.kind,
            category=None if entry.category_id is None else strawberry.ID(entry.category_id),
            action_type=entry.action_id,
            points=entry.points,
            delta=entry.delta,
            score=entry.score,
            actor_role=ROLES.get(entry.actor_role),
            reason=entry.reason if with_reason else None,
            created_at=entry.created_at,
        )


def transaction_page(
    user_id: UUID, entries: Sequence[LedgerEntry], *, is_first: bool, has_more: bool, with_reason: bool
) -> Connection[Transaction]:
    """Convert a page of a user's transactions, the newest first."""
    nodes = [Transaction.of(entry, with_reason=with_reason) for entry in entries]
    cursors = [ledger_cursor(user_id, entry.seq) for entry in entries]
    return Connection.of(nodes, cursors, is_first=is_first, has_more=has_more)
