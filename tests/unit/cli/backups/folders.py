"""Folders of backups as `leaderboard backup` leaves them, without a cluster."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

from app.cli.backups.folder import NAME, BackupFolder

SEGMENT = 2**24
"""The usual size of a file of the write-ahead log."""


def lsn(byte: int) -> str:
    """Return a position as PostgreSQL prints it."""
    return f"{byte >> 32:X}/{byte & 0xFFFFFFFF:X}"


def wal_name(timeline: int, segment: int) -> str:
    """Return the name of a file of the write-ahead log."""
    return f"{timeline:08X}{segment // 256:08X}{segment % 256:08X}"


def make_folder(path: Path) -> BackupFolder:
    """Create an empty folder of backups."""
    folder = BackupFolder(path / "backups")
    with folder.locked():
        return folder


def add_base(folder: BackupFolder, finished_at: datetime, start: int, *, timeline: int = 1) -> Path:
    """Add a base backup that begins in a segment and ends in it."""
    path = folder.base / f"{finished_at:{NAME}}"
    (path / "cluster").mkdir(parents=True)
    facts = {"finished_at": finished_at.isoformat(), "postgresql": 18, "segment_bytes": SEGMENT}
    (path / "backup.json").write_text(json.dumps(facts))
    wal = {"Timeline": timeline, "Start-LSN": lsn(start * SEGMENT + 40), "End-LSN": lsn(start * SEGMENT + 300)}
    (path / "cluster" / "backup_manifest").write_text(json.dumps({"WAL-Ranges": [wal], "Files": []}))
    return path


def add_wal(folder: BackupFolder, segments: range, *, timeline: int = 1) -> None:
    """Add files of the write-ahead log."""
    for segment in segments:
        (folder.wal / f"{wal_name(timeline, segment)}.gz").write_bytes(gzip.compress(b""))


def add_history(folder: BackupFolder, timeline: int, *left: tuple[int, int]) -> None:
    """Add a history file: the timelines before, and the byte at which each was left."""
    lines = "".join(f"{of}\t{lsn(byte)}\tbefore an instant\n" for of, byte in left)
    (folder.wal / f"{timeline:08X}.history.gz").write_bytes(gzip.compress(lines.encode()))


def day(number: int) -> datetime:
    """Return an instant of a day of November."""
    return datetime(2026, 11, number, 3, tzinfo=UTC)
