"""The validating reader of archives: head, end, counts and every hash chain are checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from app.domain.ledger.transactions import Head, Transaction
from app.models.statements.archives.archive_format import FORMAT, PARTS, Part, decoders, transaction_of

BATCH_SIZE = 5000
"""Rows per batch."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one part with the same columns."""

    part: Part
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def accepts(self, part: Part, columns: tuple[str, ...]) -> bool:
        """Return whether a row of that part and with those columns may be added."""
        return self.part is part and self.columns == columns and len(self.rows) < BATCH_SIZE


class ArchiveError(Exception):
    """The archive cannot be imported. The message gives the reason in one line."""


class ArchiveReader:
    """Decodes lines to rows for COPY, and validates the head, the end, the counts and every chain."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.expected: int | None = None
        """The number of rows according to the head; None before the head was read."""
        self._lines = enumerate(lines, 1)
        self._chains = _Chains()
        self._decoders = {part.name: decoders(part) for part in PARTS}
        self._counts = {part.name: 0 for part in PARTS}

    def batches(self) -> Iterator[Batch]:
        """Yield the rows, part by part, a few thousand at a time. Raises ArchiveError."""
        self._read_head()
        upcoming = iter(PARTS)
        batch: Batch | None = None
        for number, name, values in self._objects():
            if name == "end":
                if batch is not None:
                    yield batch
                self._check_end(number, values)
                return
            part, columns = self._part(number, name), tuple(values)
            if batch is None or not batch.accepts(part, columns):
                if batch is not None:
                    yield batch
                if (batch is None or batch.part is not part) and part not in upcoming:
                    raise ArchiveError(f"line {number}: {name!r} is in the wrong place")
                batch = Batch(part, columns)
            batch.rows.append(self._row(number, part, values))
        raise ArchiveError("the archive is incomplete: its last line is missing")

    def _part(self, number: int, name: str) -> Part:
        for part in PARTS:
            if part.name == name:
                return part
        raise ArchiveError(f"line {number}: unknown kind of record {name!r}")

    def _row(self, number: int, part: Part, values: dict[str, Any]) -> tuple[Any, ...]:
        decode = self._decoders[part.name]
        try:
            row: dict[str, Any] = {key: None if raw is None else decode[key](raw) for key, raw in values.items()}
            if part.name == "transaction":
                self._chains.add(transaction_of(row), row["hash"])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise ArchiveError(f"line {number}: not a valid {part.name}: {error}") from error
        except ArchiveError as error:
            raise ArchiveError(f"line {number}: {error}") from None
        self._counts[part.name] += 1
        return tuple(row.values())

    def _read_head(self) -> None:
        number, name, head = next(self._objects(), (1, "", {}))
        if name != "archive" or head.get("format") != FORMAT:
            raise ArchiveError(f"line {number}: must be the header of an archive of format {FORMAT}")
        counts = head.get("lines")
        if isinstance(counts, dict):
            self.expected = sum(count for count in counts.values() if type(count) is int)

    def _objects(self) -> Iterator[tuple[int, str, dict[str, Any]]]:
        for number, line in self._lines:
            if not line.strip():
                continue
            try:
                ((name, values),) = orjson.loads(line).items()
            except (ValueError, AttributeError):
                raise ArchiveError(f"line {number}: must be a JSON object with one member") from None
            if not isinstance(values, dict):
                raise ArchiveError(f"line {number}: {name!r} must be an object")
            yield number, name, values

    def _check_end(self, number: int, counts: dict[str, Any]) -> None:
        if counts != self._counts:
            raise ArchiveError(f"line {number}: the archive should have {counts} lines, but has {self._counts}")


class _Chains:
    """Validates the chains: users in ascending order, each from the first transaction on."""

    def __init__(self) -> None:
        self._user: UUID | None = None
        self._head = Head()

    def add(self, entry: Transaction, expected_hash: bytes) -> None:
        """Check the next transaction. Raises ArchiveError."""
        if entry.user_id != self._user:
            if self._user is not None and entry.user_id < self._user:
                raise ArchiveError(f"user {entry.user_id}: the transactions must be in ascending order")
            self._user, self._head = entry.user_id, Head()
        if (entry.seq, entry.previous_hash) != (self._head.seq + 1, self._head.hash):
            raise ArchiveError(
                f"user {entry.user_id}, transaction {entry.seq} ({entry.id}): it does not continue the one before it"
            )
        if entry.hash != expected_hash:
            raise ArchiveError(
                f"user {entry.user_id}, transaction {entry.seq} ({entry.id}): its content does not match its hash"
            )
        self._head = Head(entry.seq, expected_hash)
