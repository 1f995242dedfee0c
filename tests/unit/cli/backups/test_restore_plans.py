"""Which base backup is restored, along which timeline, and what the archive must have for it."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.cli.backups.folder import BackupFolder
from app.cli.backups.restore_cluster import plan_restore
from app.cli.terminal.errors import CommandError
from tests.unit.cli.backups.folders import (
    SEGMENT,
    add_base,
    add_history,
    add_wal,
    day,
    make_folder,
    wal_name,
)


@pytest.fixture
def folder(tmp_path: Path) -> BackupFolder:
    return make_folder(tmp_path)


def archived_at(folder: BackupFolder, timeline: int, segment: int, instant: datetime) -> None:
    """Let a file have been archived at an instant."""
    path = folder.wal / f"{wal_name(timeline, segment)}.gz"
    os.utime(path, (instant.timestamp(), instant.timestamp()))


def test_the_newest_base_backup_from_before_the_instant_is_restored(folder: BackupFolder):
    first, second = add_base(folder, day(1), 2), add_base(folder, day(2), 5)
    add_wal(folder, range(2, 9))
    archived_at(folder, 1, 8, day(4))
    assert plan_restore(folder, day(2) - timedelta(seconds=1), None).backup.path == first
    assert plan_restore(folder, day(2), None).backup.path == second
    assert plan_restore(folder, None, None).backup.path == second


def test_an_instant_before_the_oldest_base_backup_is_refused(folder: BackupFolder):
    with pytest.raises(CommandError, match="there is no base backup"):
        plan_restore(folder, None, None)
    add_base(folder, day(2), 2)
    with pytest.raises(CommandError, match="--to must not be before 2026-11-02 03:00:00Z"):
        plan_restore(folder, day(1), None)


def test_an_instant_after_the_end_of_the_archive_is_refused(folder: BackupFolder):
    add_base(folder, day(1), 2)
    with pytest.raises(CommandError, match="the archive is empty"):
        plan_restore(folder, day(1), None)
    add_wal(folder, range(2, 4))
    archived_at(folder, 1, 3, day(2))
    with pytest.raises(CommandError, match="the archive ends at 2026-11-02 03:00:00Z"):
        plan_restore(folder, day(3), None)


def test_a_gap_in_the_archive_is_named(folder: BackupFolder):
    add_base(folder, day(1), 2)
    add_wal(folder, range(2, 300))
    (folder.wal / f"{wal_name(1, 257)}.gz").unlink()
    with pytest.raises(CommandError, match=r"a gap: 000000010000000100000001\.gz is missing"):
        plan_restore(folder, None, None)
    add_base(folder, day(2), 258)
    assert plan_restore(folder, None, None).backup.finished_at == day(2), "the gap is before it"


def test_a_restore_follows_the_newest_timeline_that_has_the_base_backup(folder: BackupFolder):
    add_base(folder, day(1), 2)
    after_the_fork = add_base(folder, day(3), 9)
    add_wal(folder, range(2, 12))
    add_history(folder, 2, (1, 6 * SEGMENT + 8))
    add_wal(folder, range(6, 8), timeline=2)
    assert plan_restore(folder, None, None).timeline == 1, "the newest base backup is of the first timeline alone"
    archived_at(folder, 2, 7, day(4))
    assert plan_restore(folder, day(2), None).timeline == 2
    archived_at(folder, 1, 11, day(4))
    assert plan_restore(folder, day(2), 1).timeline == 1
    assert plan_restore(folder, day(3), 1).backup.path == after_the_fork
    assert plan_restore(folder, day(3), 2).backup.finished_at == day(1)
    with pytest.raises(CommandError, match="no base backup leads to timeline 3"):
        plan_restore(folder, None, 3)


def test_on_a_new_timeline_files_of_the_old_one_are_needed_up_to_the_fork_only(folder: BackupFolder):
    add_base(folder, day(1), 2)
    add_wal(folder, range(2, 6))
    add_history(folder, 2, (1, 6 * SEGMENT + 8))
    add_wal(folder, range(6, 8), timeline=2)
    assert plan_restore(folder, None, None).timeline == 2
    (folder.wal / f"{wal_name(2, 6)}.gz").unlink()
    with pytest.raises(CommandError, match=wal_name(2, 6)):
        plan_restore(folder, None, None)


def test_a_damaged_base_backup_is_named(folder: BackupFolder):
    path = add_base(folder, day(1), 2)
    (path / "cluster" / "backup_manifest").write_text("{")
    with pytest.raises(CommandError, match=f"{path.name} is damaged"):
        plan_restore(folder, None, None)
