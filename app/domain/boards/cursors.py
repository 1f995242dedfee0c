"""Cursors: opaque positions in a list, each valid for the list that it was made for."""

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

_POSITION = struct.Struct(">qQ16s")
_SEQUENCE = struct.Struct(">Q")
_MAX_SEQUENCE = 2**63 - 1
"""The maximum of a `bigint`. Clients could encode larger numbers, because the checksum is no secret."""
FOREIGN_CURSOR = "The cursor is not valid for this list: pass a cursor of the same list."
_CHECKSUM_SIZE = 8
"""The length of the checksum in bytes. It detects cursors of other lists; it is not a signature."""


def board_cursor(board: Board, position: Position) -> str:
    """Encode a position on `board`."""
    return _encode(board.key, _POSITION.pack(position.sort_key, to_micros(position.reached_at), position.user_id.bytes))


def parse_board_cursor(board: Board, cursor: str) -> Position:
    """Decode a cursor of `board`. Raises BadUserInput for one of another board or window, or malformed."""
    sort_key, reached_at, user_id = _POSITION.unpack(_decode(board.key, cursor, _POSITION.size))
    try:
        return Position(sort_key, from_micros(reached_at), UUID(bytes=user_id))
    except OverflowError:  # The client made up the cursor: there is no such instant.
        raise BadUserInput(FOREIGN_CURSOR) from None


def ledger_cursor(user_id: UUID, seq: int) -> str:
    """Encode the position of a transaction in a user's ledger."""
    return _encode(f"ledger/{user_id}", _SEQUENCE.pack(seq))


def parse_ledger_cursor(user_id: UUID, cursor: str) -> int:
    """Decode a cursor of a user's ledger. Raises BadUserInput for one of another user, or malformed."""
    seq: int = _SEQUENCE.unpack(_decode(f"ledger/{user_id}", cursor, _SEQUENCE.size))[0]
    if seq > _MAX_SEQUENCE:
        raise BadUserInput(FOREIGN_CURSOR)
    return seq


def id_cursor(scope: str, id: UUID) -> str:
    """Encode the position of the entry with this id in the list that `scope` names."""
    return _encode(scope, id.bytes)


def parse_id_cursor(scope: str, cursor: str) -> UUID:
    """Decode a cursor of the list that `scope` names. Raises BadUserInput for one of another list, or malformed."""
    return UUID(bytes=_decode(scope, cursor, 16))


def _encode(scope: str, content: bytes) -> str:
    return urlsafe_b64encode(_checksum(scope, content) + content).rstrip(b"=").decode()


def _decode(scope: str, cursor: str, size: int) -> bytes:
    try:
        raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
    except (binascii.Error, ValueError):
        raw = b""
    content = raw[_CHECKSUM_SIZE:]
    # Encoding again and comparing rejects other base64 spellings of the same bytes.
    if len(content) != size or _encode(scope, content) != cursor:
        raise BadUserInput(FOREIGN_CURSOR)
    return content


def _checksum(scope: str, content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_CHECKSUM_SIZE, key=hashlib.sha256(scope.encode()).digest()).digest()
