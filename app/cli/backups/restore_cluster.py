"""Write a cluster from a base backup, so that PostgreSQL recovers it to an instant when it is started."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.cli.backups.folder import BackupFolder, BaseBackup
from app.cli.backups.manifest import check_and_extract
from app.cli.backups.wal_archive import WalArchive
from app.cli.terminal.errors import CommandError

RECOVERY = """
# Written by `leaderboard restore`.
restore_command = {restore_command}
recovery_target_timeline = '{timeline}'
{target}# A rehearsal must not write to the archive. If the restored cluster is kept: ALTER SYSTEM RESET archive_mode.
archive_mode = off
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a restore is made from.

    Attributes:
        backup: The base backup.
        timeline: The timeline that recovery follows.
        instant: The instant to recover to; None for all that is in the archive.
    """

    backup: BaseBackup
    timeline: int
    instant: datetime | None


def plan_restore(folder: BackupFolder, instant: datetime | None, timeline: int | None) -> Plan:
    """Choose the newest base backup from before an instant, and check that the archive goes on from it to the instant.

    Args:
        folder: The backups.
        instant: The instant; None for all that is in the archive.
        timeline: The timeline to follow; None for the newest one that descends from the base backup.

    Raises:
        CommandError: There is no such backup, or the archive has a gap or ends before.
    """
    backups = folder.base_backups()
    if not backups:
        raise CommandError(f"there is no base backup in {folder.base}")
    earlier = [backup for backup in backups if instant is None or backup.finished_at <= instant]
    if not earlier:
        first = backups[0].finished_at
        raise CommandError(
            f"--to must not be before {first:%Y-%m-%d %H:%M:%S}Z, when the oldest base backup was complete"
        )
    archives = {backup.path: folder.wal_archive(backup.segment_bytes) for backup in earlier}
    fitting = [each for each in earlier if timeline is None or archives[each.path].contains(timeline, each.end)]
    if not fitting:
        raise CommandError(f"no base backup leads to timeline {timeline}")
    backup = fitting[-1]
    archive = archives[backup.path]
    followed = timeline or archive.newest_descendant(backup.end)
    _require_archive(folder, archive, backup, followed, instant)
    return Plan(backup, followed, instant)


def _require_archive(
    folder: BackupFolder, archive: WalArchive, backup: BaseBackup, timeline: int, instant: datetime | None
) -> None:
    if missing := archive.missing(backup.end, timeline):
        raise CommandError(
            f"the archive has a gap: {missing[0]}.gz is missing in {folder.wal}, so that {backup.path.name} cannot be "
            "restored beyond it"
        )
    ends_at = archive.ends_at(timeline)
    if instant is not None and (ends_at is None or ends_at < instant):
        until = "is empty" if ends_at is None else f"ends at {ends_at:%Y-%m-%d %H:%M:%S}Z"
        raise CommandError(f"the archive {until}: --to must be earlier, or left out to restore all that there is")


def restore_cluster(folder: BackupFolder, plan: Plan, target: Path) -> None:
    """Write the cluster and its recovery settings to `target`, for the user that owns `target`.

    It is checked against its manifest meanwhile. PostgreSQL does not start from it before it is complete.

    Raises:
        CommandError: The target is not empty or cannot be written, or the backup is damaged.
    """
    _prepare(target)
    version = check_and_extract(plan.backup.cluster, target)
    file = f"{shlex.quote(str(folder.wal.resolve()))}/%f.gz"
    # PostgreSQL takes an exit code up to 125 for the end of the archive, and ends the recovery for any other.
    command = f"test -e {file} || exit 1; gzip -dc {file} > %p || exit 255"
    instant = "" if plan.instant is None else f"recovery_target_time = '{plan.instant.isoformat()}'\n"
    target_settings = instant + "recovery_target_action = promote\n" if instant else ""
    try:
        with (target / "postgresql.auto.conf").open("a") as settings:
            settings.write(
                RECOVERY.format(restore_command=_quote(command), timeline=plan.timeline, target=target_settings)
            )
        (target / "recovery.signal").touch(mode=0o600)
        (target / "PG_VERSION").write_bytes(version)
        (target / "PG_VERSION").chmod(0o600)
        _hand_over(target)
    except OSError as error:
        raise CommandError(f"{error.filename or target}: {error.strerror}") from error


def _prepare(target: Path) -> None:
    """Create the folder, or check that it is empty and belongs to a user that PostgreSQL can run as."""
    try:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.chmod(0o700)
        is_empty = not any(target.iterdir())
    except OSError as error:
        raise CommandError(f"{target} must be an empty folder that can be written: {error.strerror}") from error
    if not is_empty:
        raise CommandError(f"{target} must be empty: move the lost cluster away, do not delete it yet")
    if os.geteuid() == 0 and target.stat().st_uid == 0:
        raise CommandError(
            f"{target} must belong to the user that PostgreSQL runs as, not to root: create it, and "
            f"chown postgres {shlex.quote(str(target))}"
        )


def _hand_over(target: Path) -> None:
    """Give all files to the owner of the folder."""
    owner = target.stat()
    if os.geteuid() == owner.st_uid:
        return
    for folder, folders, files in os.walk(target):
        for name in (*folders, *files):
            os.chown(os.path.join(folder, name), owner.st_uid, owner.st_gid, follow_symlinks=False)


def _quote(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
