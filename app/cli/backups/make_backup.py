"""Make one backup: of the cluster, or of the database."""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.cli.backups.folder import NAME, BackupFolder, BaseBackup, publish, read_base_backup, size_of
from app.cli.backups.manifest import check_and_extract, read_histories
from app.cli.backups.server import BackedUpServer
from app.cli.backups.tools import Tools
from app.cli.terminal.errors import CommandError

POLL_INTERVAL = 0.2
"""Seconds between two looks at the archive."""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is complete."""

    path: Path
    bytes: int


def make_base_backup(folder: BackupFolder, tools: Tools, server: BackedUpServer) -> Made:
    """Copy the cluster with pg_basebackup, and read the copy back.

    Raises:
        CommandError: It cannot be copied, or the copy is damaged.
    """
    found = server.facts()
    found.require_base_backup()
    tools.require(["pg_basebackup"], found.major)
    with folder.part(folder.base, is_folder=True) as part:
        tools.run(
            "pg_basebackup",
            [
                f"--pgdata={part / 'cluster'}", "--format=tar", "--compress=client-gzip:1", "--wal-method=stream",
                "--checkpoint=fast", "--manifest-checksums=SHA256", "--label=leaderboard backup",
            ],
            server.url,
        )  # fmt: skip
        facts = {
            "finished_at": server.time().isoformat(),
            "postgresql": found.major,
            "segment_bytes": found.segment_bytes,
        }
        (part / "backup.json").write_text(json.dumps(facts, indent=2) + "\n")
        backup = read_base_backup(part)
        check_and_extract(backup.cluster)
        _archive_histories(folder, backup)
        return _publish(part, folder.base / f"{backup.finished_at:{NAME}}")


def _archive_histories(folder: BackupFolder, backup: BaseBackup) -> None:
    """Archive the history of the timeline of a base backup, if PostgreSQL has not.

    A cluster that was restored begins its timeline without an archive. Another restore would use the number of that
    timeline again, unless its history is in the archive.
    """
    for name, content in read_histories(backup.cluster).items():
        target = folder.wal / f"{name}.gz"
        if not target.exists():
            part = target.with_name(f".{name}.part")
            part.write_bytes(gzip.compress(content))
            part.chmod(0o640)
            publish(part, target)


def require_archive(folder: BackupFolder, wait: float) -> None:
    """Check that the archive has all that the newest base backup needs, and no gap since the one before.

    A gap is thus an error once: the base backup after it is complete, and what came before the gap can be restored.

    Raises:
        CommandError: A file is missing, and does not come within `wait` seconds.
    """
    *_, newest = backups = folder.base_backups()
    archive = folder.wal_archive(newest.segment_bytes)
    last = archive.segment_of(newest.end.byte - 1)
    deadline = time.monotonic() + wait
    while not archive.has(newest.end.timeline, last):
        if time.monotonic() > deadline:
            raise CommandError(
                f"{archive.name_of(newest.end.timeline, last)}.gz did not come to {folder.wal} within {wait:g} s: "
                "check archive_command, and pg_stat_archiver for its last error"
            )
        time.sleep(POLL_INTERVAL)
    for before in backups[-2:-1]:
        archive = folder.wal_archive(before.segment_bytes)
        if missing := archive.missing(before.end, archive.newest_descendant(before.end)):
            more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise CommandError(
                f"the archive has a gap: {missing[0]}.gz is missing in {folder.wal}{more}; nothing between the gap and "
                f"{newest.path.name} can be restored, and everything since then can"
            )


def make_dump(folder: BackupFolder, tools: Tools, server: BackedUpServer) -> Made:
    """Dump the database with pg_dump, and let pg_restore read the dump.

    Raises:
        CommandError: It cannot be dumped, or the dump is damaged.
    """
    tools.require(["pg_dump", "pg_restore"], server.facts().major)
    with folder.part(folder.dumps, is_folder=False) as part:
        tools.run("pg_dump", [f"--file={part}", "--format=custom"], server.url)
        tools.run("pg_restore", ["--file=/dev/null", part])
        return _publish(part, folder.dumps / f"{datetime.now(UTC):{NAME}}.dump")


def _publish(part: Path, name: Path) -> Made:
    publish(part, name)
    return Made(name, size_of(name))
