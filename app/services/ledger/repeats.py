"""Repeats: which refusal a token or a request key gets that was used before."""

from __future__ import annotations

from uuid import UUID

from app.domain.errors import ActionTokenUsed, BadUserInput, DomainError, DuplicateAction, UnderReview
from app.models.statements.ledger.store_postings import receipt_by_request, receipt_by_token
from app.stores.postgres import Database


async def refusal_of_token(database: Database, token_hash: bytes, user_id: UUID) -> DomainError | None:
    """Return the refusal of a token that this user has used, with the first receipt; None for any other token.

    Raises:
        ServiceUnavailable: PostgreSQL cannot be used.
    """
    async with database.connect() as connection:
        receipt = await receipt_by_token(connection, token_hash)
    if receipt is None or receipt.user.id != user_id:
        return None
    return UnderReview() if receipt.held else ActionTokenUsed(receipt)


async def refusal_of_request_key(
    database: Database, request_key: str, request_hash: bytes | None
) -> DomainError | None:
    """Return the refusal of a request key that has been used, with the first receipt; None for a new key.

    Raises:
        ServiceUnavailable: PostgreSQL cannot be used.
    """
    async with database.connect() as connection:
        found = await receipt_by_request(connection, request_key)
    if found is None:
        return None
    receipt, first_hash = found
    if first_hash != request_hash:
        return BadUserInput("This idempotency key was used for a request with different content. Use a new key.")
    return UnderReview() if receipt.held else DuplicateAction(receipt)
