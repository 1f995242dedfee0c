"""Month files: the transactions of one month as compressed JSON Lines, from which every hash can be computed again.

The first line names the month, the last one has the counts and a digest of the ends of all chains in the file. Beside
the file is a manifest with the SHA-256 of the file, which `sha256sum` can check, too.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from app.domain.ledger.transactions import Actor, Head, Kind, Transaction
from app.models.statements.ledger.partitions import Month
from app.models.statements.retention.archived_months import COLUMNS

FORMAT = 1
BINARY = ("token_hash", "request_hash", "previous_hash", "hash")
READ_SIZE = 1 << 20


class MonthFileError(Exception):
    """A month file is not valid. The message gives the file and the reason in one line."""


@dataclass(slots=True)
class Summary:
    """The counts of a file, and a digest of the ranges of chains in it."""

    transactions: int = 0
    users: int = 0
    segments: int = 0
    _digest: Any = field(default_factory=hashlib.sha256)
    _user: UUID | None = None
    _head: Head = field(default_factory=Head)

    def add(self, user_id: UUID, seq: int, previous_hash: bytes, entry_hash: bytes) -> None:
        """Add the next transaction, in order of user and position."""
        if user_id != self._user or seq != self._head.seq + 1:
            self._digest.update(user_id.bytes + seq.to_bytes(8, "big") + previous_hash + self._head.hash)
            self.segments += 1
        self.users += user_id != self._user
        self.transactions += 1
        self._user, self._head = user_id, Head(seq, entry_hash)

    def as_dict(self) -> dict[str, Any]:
        """Return the last line of the file."""
        digest = self._digest.copy()
        digest.update(self._head.hash)
        counts = {"transactions": self.transactions, "users": self.users, "segments": self.segments}
        return counts | {"digest": digest.hexdigest()}


def file_name(month: Month, part: int) -> str:
    """Return the name of a month file."""
    return f"ledger-{month}.jsonl.gz" if part == 1 else f"ledger-{month}-{part}.jsonl.gz"


def manifest_of(file: Path) -> Path:
    """Return the path of the manifest of a month file."""
    return file.with_name(f"{file.name}.manifest.json")


class MonthFileWriter:
    """Writes a month file under a temporary name; it gets its own name once it is complete and on disk."""

    def __init__(self, file: Path, month: Month, part: int) -> None:
        self.summary = Summary()
        self._file = file
        self._temporary = file.with_name(f"{file.name}.part")
        self._temporary.unlink(missing_ok=True)
        self._raw = os.fdopen(os.open(self._temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")
        # Without a name and a time, so that equal content makes equal files.
        self._out = gzip.GzipFile("", "wb", compresslevel=6, fileobj=self._raw, mtime=0)
        self._write({"monthFile": {"format": FORMAT, "month": str(month), "part": part}})

    def add(self, row: Any) -> None:
        """Write a transaction."""
        values = {name: getattr(row, name) for name in COLUMNS}
        self.summary.add(values["user_id"], values["seq"], values["previous_hash"], values["hash"])
        for name in BINARY:
            values[name] = None if values[name] is None else values[name].hex()
        self._write({"transaction": values})

    def finish(self) -> bytes:
        """Complete the file, and write its manifest; return the SHA-256 of the file."""
        self._write({"end": self.summary.as_dict()})
        self._out.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()
        digest = sha256_of(self._temporary)
        self._temporary.replace(self._file)
        manifest = {"file": self._file.name, "sha256": digest.hex()} | self.summary.as_dict()
        _write_durably(manifest_of(self._file), orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
        return digest

    def abort(self) -> None:
        """Delete what was written so far."""
        self._raw.close()
        self._temporary.unlink(missing_ok=True)

    def _write(self, line: Mapping[str, Any]) -> None:
        self._out.write(orjson.dumps(line, default=str, option=orjson.OPT_APPEND_NEWLINE))


class MonthFile:
    """A month file that is read and verified: the manifest, the order, the counts and every hash."""

    def __init__(self, file: Path) -> None:
        """Read the first line and the manifest. Raises MonthFileError."""
        self.file = file
        self.sha256 = sha256_of(file)
        self._lines = self._objects()
        name, head = next(self._lines, ("", {}))
        if name != "monthFile" or head.get("format") != FORMAT:
            raise MonthFileError(f"{file}: must begin with the header of a month file of format {FORMAT}")
        self.month, self.part = Month.parse(head["month"]), int(head["part"])
        try:
            manifest = orjson.loads(manifest_of(file).read_bytes())
        except (OSError, ValueError) as error:
            raise MonthFileError(f"{file}: its manifest cannot be read: {error}") from error
        if manifest.get("sha256") != self.sha256.hex():
            raise MonthFileError(f"{file}: its SHA-256 is not that of the manifest")

    def transactions(self) -> Iterator[Transaction]:
        """Yield the transactions. Raises MonthFileError when something is wrong, at the latest at the end."""
        summary = Summary()
        previous: Transaction | None = None
        for name, values in self._lines:
            if name == "end":
                if values != summary.as_dict():
                    raise MonthFileError(f"{self.file}: its content does not match its counts and digest")
                return
            entry, stored_hash = self._transaction(values)
            where = f"{self.file}: user {entry.user_id}, transaction {entry.seq} ({entry.id})"
            if previous is not None and (entry.user_id, entry.seq) <= (previous.user_id, previous.seq):
                raise MonthFileError(f"{where}: the transactions must be in ascending order")
            if entry.hash != stored_hash:
                raise MonthFileError(f"{where}: its content does not match its hash")
            if Month.of(entry.created_at) != self.month:
                raise MonthFileError(f"{where}: it is not of the month {self.month}")
            summary.add(entry.user_id, entry.seq, entry.previous_hash, stored_hash)
            previous = entry
            yield entry
        raise MonthFileError(f"{self.file}: it is incomplete: its last line is missing")

    def _transaction(self, values: Mapping[str, Any]) -> tuple[Transaction, bytes]:
        try:
            decoded = dict(values)
            for name in BINARY:
                decoded[name] = None if values[name] is None else bytes.fromhex(values[name])
            actor_id = values["actor_id"]
            entry = Transaction(
                id=UUID(values["id"]),
                user_id=UUID(values["user_id"]),
                seq=values["seq"],
                category_id=values["category_id"],
                action_id=values["action_id"],
                kind=Kind(values["kind"]),
                points=values["points"],
                delta=values["delta"],
                score=values["score"],
                token_hash=decoded["token_hash"],
                request_key=values["request_key"],
                request_hash=decoded["request_hash"],
                actor=Actor(
                    None if actor_id is None else UUID(actor_id),
                    values["actor_role"],
                    values["address_commitment"],
                    values["user_agent_commitment"],
                ),
                reason=values["reason_commitment"],
                created_at=datetime.fromisoformat(values["created_at"]),
                previous_hash=decoded["previous_hash"],
            )
        except (KeyError, ValueError, TypeError) as error:
            raise MonthFileError(f"{self.file}: it has an invalid transaction: {error}") from error
        return entry, decoded["hash"]

    def _objects(self) -> Iterator[tuple[str, dict[str, Any]]]:
        try:
            with gzip.open(self.file, "rb") as lines:
                for line in lines:
                    ((name, values),) = orjson.loads(line).items()
                    yield name, values
        except (OSError, EOFError, zlib.error, ValueError, AttributeError) as error:
            raise MonthFileError(f"{self.file}: it cannot be read: {error}") from error


def sha256_of(file: Path) -> bytes:
    """Return the SHA-256 of the bytes of a file."""
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(READ_SIZE):
            digest.update(chunk)
    return digest.digest()


def _write_durably(file: Path, content: bytes) -> None:
    temporary = file.with_name(f"{file.name}.part")
    with temporary.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # The new names are on disk, too, before the partition is dropped.
    finally:
        os.close(folder)
