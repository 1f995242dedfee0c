"""The statements that read the heads of boards, and store them for the next comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards.board import TOP, Board
from app.domain.events.board_heads import Place
from app.models.tables.scores import window_key

_BOARDS = "unnest(CAST(:categories AS text[]), CAST(:periods AS text[]), CAST(:starts AS date[]))"

SELECT_HEADS = text(
    f"""
    SELECT b.number, h.places AS before, now.user_ids, now.sort_keys, now.scores
    FROM {_BOARDS} WITH ORDINALITY AS b(category_id, period, window_start, number)
    LEFT JOIN board_heads h USING (category_id, period, window_start)
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(user_id), '{{}}') AS user_ids, coalesce(array_agg(sort_key), '{{}}') AS sort_keys,
               coalesce(array_agg(score), '{{}}') AS scores
        FROM (
            SELECT user_id, sort_key, score FROM scores s
            WHERE s.category_id = b.category_id AND s.period = b.period AND s.window_start = b.window_start
              AND NOT hidden
            ORDER BY sort_key, reached_at, user_id LIMIT {TOP}
        ) first_places
    ) now
    ORDER BY b.number
    """  # noqa: S608 - the pieces are constants
)
LOCK_HEADS = text("SELECT pg_advisory_xact_lock(hashtext('board_heads'))")
UPSERT_HEAD = text(
    """
    INSERT INTO board_heads (category_id, period, window_start, places)
    VALUES (:category, :period, :start, CAST(:places AS jsonb))
    ON CONFLICT (category_id, period, window_start) DO UPDATE SET places = excluded.places
    """
)
DELETE_OTHER_HEADS = text(
    f"""
    DELETE FROM board_heads h WHERE NOT EXISTS (
        SELECT FROM {_BOARDS} AS b(category_id, period, window_start)
        WHERE b.category_id = h.category_id AND b.period = h.period AND b.window_start = h.window_start
    )
    """  # noqa: S608 - the piece is a constant
)

Heads = tuple[Sequence[Place] | None, Sequence[Place]]
"""The stored head of a board, None if there is none, and the present one."""


async def read_heads(connection: AsyncConnection, boards: Sequence[Board]) -> Mapping[Board, Heads]:
    """Return the stored and the present head of each board, all as of one instant; other callers wait until the end."""
    await connection.execute(LOCK_HEADS)
    rows = await connection.execute(SELECT_HEADS, _parameters(boards))
    return {
        board: (None if row.before is None else _places(row.before), _present(row))
        for board, row in zip(boards, rows, strict=True)
    }


async def store_head(connection: AsyncConnection, board: Board, places: Sequence[Place]) -> None:
    """Store the head of a board."""
    period, start = window_key(board.window)
    content = [[str(place.user_id), place.sort_key, place.score] for place in places]
    named = {"category": board.category, "period": period, "start": start, "places": json.dumps(content)}
    await connection.execute(UPSERT_HEAD, named)


async def delete_other_heads(connection: AsyncConnection, boards: Sequence[Board]) -> None:
    """Delete the heads of all boards but these."""
    await connection.execute(DELETE_OTHER_HEADS, _parameters(boards))


def _parameters(boards: Sequence[Board]) -> dict[str, list[Any]]:
    keys: list[tuple[str, date]] = [window_key(board.window) for board in boards]
    return {
        "categories": [board.category for board in boards],
        "periods": [period for period, _ in keys],
        "starts": [start for _, start in keys],
    }


def _present(row: Any) -> list[Place]:
    return [Place(*values) for values in zip(row.user_ids, row.sort_keys, row.scores, strict=True)]


def _places(stored: Sequence[Any]) -> list[Place]:
    return [Place(UUID(user_id), sort_key, score) for user_id, sort_key, score in stored]
