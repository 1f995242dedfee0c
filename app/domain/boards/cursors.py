"""Cursors: opaque names of positions, each good for the one list it was made for."""

from __future__ import annotations

import binascii
import hashlib
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from app.domain.boards.board import Board
from app.domain.boards.views import Position
from app.domain.errors import BadUserInput
from app.domain.instants import from_micros, to_micros

_POSITION = struct.Struct(">iQ16s")
_SEQUENCE = struct.Struct(">Q")
_MAX_SEQUENCE = 2**63 - 1
"""What a `bigint` holds: clients can compute the checksum of any number."""
_FOREIGN = "The cursor is not valid for this list: pass a cursor of the same list."
_CHECK = 8
"""Bytes of checksum: it keeps clients from taking cursors elsewhere or making them up, and guards no secret."""


def board_cursor(board: Board, position: Position) -> str:
    """The name of a position on `board`."""
    return _seal(board.key, _POSITION.pack(position.sort_key, to_micros(position.reached_at), position.user_id.bytes))


def parse_board_cursor(board: Board, cursor: str) -> Position:
    """The inverse of `board_cursor`. Raises BadUserInput for one that is damaged or of another board or window."""
    sort_key, reached_at, user_id = _POSITION.unpack(_unseal(board.key, cursor, _POSITION.size))
    try:
        return Position(sort_key, from_micros(reached_at), UUID(bytes=user_id))
    except OverflowError:  # No instant of the calendar: the cursor was made up.
        raise BadUserInput(_FOREIGN) from None


def ledger_cursor(user_id: UUID, seq: int) -> str:
    """The name of a transaction in a user's ledger."""
    return _seal(f"ledger/{user_id}", _SEQUENCE.pack(seq))


def parse_ledger_cursor(user_id: UUID, cursor: str) -> int:
    """The inverse of `ledger_cursor`. Raises BadUserInput for one that is damaged or of another user."""
    seq: int = _SEQUENCE.unpack(_unseal(f"ledger/{user_id}", cursor, _SEQUENCE.size))[0]
    if seq > _MAX_SEQUENCE:
        raise BadUserInput(_FOREIGN)
    return seq


def _seal(scope: str, content: bytes) -> str:
    return urlsafe_b64encode(_check(scope, content) + content).rstrip(b"=").decode()


def _unseal(scope: str, cursor: str, size: int) -> bytes:
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except (binascii.Error, ValueError):
        raw = b""
    content = raw[_CHECK:]
    # Made anew and compared: of several spellings that decode to the same bytes only ours is taken.
    if len(content) != size or _seal(scope, content) != cursor:
        raise BadUserInput(_FOREIGN)
    return content


def _check(scope: str, content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_CHECK, key=hashlib.sha256(scope.encode()).digest()).digest()
