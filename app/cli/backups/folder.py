"""The folder of the backups: `base/` and `dump/` by the time at which each was complete, and `wal/`."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.cli.backups.wal_archive import Position, WalArchive, parse_lsn
from app.cli.terminal.errors import CommandError

NAME = "%Y%m%dT%H%M%SZ"
"""The name of a complete backup: when it was complete, in UTC."""
PART = ".part"
"""The end of the name of a backup that is not complete."""


@dataclass(frozen=True, slots=True)
class BaseBackup:
    """A complete base backup.

    Attributes:
        path: Its folder, with `cluster/`, which pg_basebackup wrote, and `backup.json`.
        finished_at: When it was complete. It can be restored to this instant and later ones.
        postgresql: The major version of PostgreSQL.
        segment_bytes: The size of a file of the write-ahead log.
        start: Where recovery begins.
        end: What recovery must reach at least.
    """

    path: Path
    finished_at: datetime
    postgresql: int
    segment_bytes: int
    start: Position
    end: Position

    @property
    def cluster(self) -> Path:
        """The folder with the files of pg_basebackup."""
        return self.path / "cluster"


class BackupFolder:
    """The folder of the backups."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.base = path / "base"
        self.dumps = path / "dump"
        self.wal = path / "wal"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Create what is missing of the folder, and keep others from writing backups to it during the block.

        Raises:
            CommandError: The folder cannot be written, or another backup is being made.
        """
        try:
            for each in (self.base, self.dumps, self.wal):
                each.mkdir(mode=0o750, parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("ab")
        except OSError as error:
            raise CommandError(f"the folder {self.path} must be writable: {error.strerror}") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise CommandError(f"another backup is being made in {self.path}") from error
            yield

    @contextlib.contextmanager
    def part(self, parent: Path, *, is_folder: bool) -> Iterator[Path]:
        """Yield a temporary name for a new backup in `parent`; what has such a name is deleted before and after.

        Raises:
            CommandError: The folder cannot be written, or is full.
        """
        _delete_parts(parent)
        part = parent / f"{datetime.now(UTC):{NAME}}{PART}"
        try:
            if is_folder:
                part.mkdir(mode=0o700)
            else:
                part.touch(mode=0o600)
            yield part
        except OSError as error:
            raise CommandError(f"{error.filename or parent}: {error.strerror or error}") from error
        finally:
            _delete_parts(parent)

    def base_backups(self) -> list[BaseBackup]:
        """Return the complete base backups, the oldest first.

        Raises:
            CommandError: The folder cannot be read, or one of them is damaged.
        """
        try:
            paths = sorted(path for path in self.base.iterdir() if path.suffix != PART)
        except OSError as error:
            raise CommandError(f"{self.base} cannot be read: {error.strerror}") from error
        return sorted((read_base_backup(path) for path in paths), key=lambda backup: backup.finished_at)

    def wal_archive(self, segment_bytes: int) -> WalArchive:
        """Return the archive of the write-ahead log as it is now."""
        return WalArchive(self.wal, segment_bytes)

    def prune(self, now: datetime, keep: timedelta) -> list[Path]:
        """Delete what no instant since `now - keep` needs, and return it.

        The newest base backup from before that instant stays, as do all later ones and all of the write-ahead log since
        the oldest that stays. So does the newest of each kind, however old it is.

        Raises:
            CommandError: A backup is damaged, or cannot be deleted.
        """
        horizon = now - keep
        backups = self.base_backups()
        before = [backup for backup in backups if backup.finished_at <= horizon]
        kept = backups[max(len(before) - 1, 0) :]
        obsolete = [backup.path for backup in backups if backup not in kept]
        dumps = sorted(path for path in self.dumps.glob("*.dump") if path.stem >= "0")
        obsolete += [path for path in dumps[:-1] if path.stem < f"{horizon:{NAME}}"]
        if kept:
            archive = self.wal_archive(kept[-1].segment_bytes)
            obsolete += archive.files_before(min(archive.segment_of(backup.start.byte) for backup in kept))
        try:
            for path in obsolete:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be deleted: {error.strerror}") from error
        return obsolete


def read_base_backup(path: Path) -> BaseBackup:
    """Read what a base backup says of itself.

    Raises:
        CommandError: It is damaged.
    """
    try:
        facts = json.loads((path / "backup.json").read_text())
        manifest = json.loads((path / "cluster" / "backup_manifest").read_text())
        (wal,) = manifest["WAL-Ranges"]
        return BaseBackup(
            path,
            datetime.fromisoformat(facts["finished_at"]),
            int(facts["postgresql"]),
            int(facts["segment_bytes"]),
            Position(wal["Timeline"], parse_lsn(wal["Start-LSN"])),
            Position(wal["Timeline"], parse_lsn(wal["End-LSN"])),
        )
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"the base backup {path} is damaged: move it away to go on with the others (its manifest cannot be read)"
        ) from error


def publish(part: Path, name: Path) -> None:
    """Give a complete backup its name, once all of it is on the disk."""
    for path in (part, *part.rglob("*")):
        _sync(path)
    part.rename(name)
    _sync(name.parent)


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    return sum(each.stat().st_size for each in (path, *path.rglob("*")) if each.is_file())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _delete_parts(parent: Path) -> None:
    for left in parent.glob(f"*{PART}"):
        shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)
