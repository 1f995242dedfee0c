"""What is deleted of old backups, and what never is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from app.cli.backups.folder import BackupFolder
from app.cli.terminal.errors import CommandError
from tests.unit.cli.backups.folders import add_base, add_history, add_wal, day, make_folder, wal_name

WEEK = timedelta(days=7)


@pytest.fixture
def folder(tmp_path: Path) -> BackupFolder:
    return make_folder(tmp_path)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_every_instant_of_the_time_to_keep_can_still_be_restored(folder: BackupFolder):
    for number in range(1, 15):
        add_base(folder, day(number), number * 10)
    add_wal(folder, range(10, 150))
    folder.prune(day(14) + timedelta(hours=1), WEEK)
    assert [backup.finished_at.day for backup in folder.base_backups()] == [7, 8, 9, 10, 11, 12, 13, 14]
    assert names(folder.wal) == [f"{wal_name(1, segment)}.gz" for segment in range(70, 150)]


def test_the_newest_backups_stay_however_old_they_are(folder: BackupFolder):
    add_base(folder, day(1), 2)
    add_wal(folder, range(1, 4))
    for dump in ("20261001T030000Z.dump", "20261101T030000Z.dump"):
        (folder.dumps / dump).touch()
    folder.prune(day(30), WEEK)
    assert names(folder.base) == ["20261101T030000Z"]
    assert names(folder.wal) == [f"{wal_name(1, segment)}.gz" for segment in (2, 3)]
    assert names(folder.dumps) == ["20261101T030000Z.dump"]


def test_without_a_base_backup_the_archive_stays(folder: BackupFolder):
    add_wal(folder, range(1, 4))
    assert folder.prune(day(30), WEEK) == []


def test_dumps_are_kept_as_long_as_base_backups(folder: BackupFolder):
    for number in range(1, 15):
        (folder.dumps / f"{day(number):%Y%m%dT%H%M%SZ}.dump").touch()
    folder.prune(day(14), WEEK)
    assert names(folder.dumps)[0] == "20261107T030000Z.dump"


def test_files_of_all_timelines_are_deleted_and_histories_stay(folder: BackupFolder):
    add_history(folder, 2, (1, 2**26))
    add_wal(folder, range(1, 4))
    add_wal(folder, range(3, 6), timeline=2)
    for name in (f"{wal_name(1, 2)}.00000028.backup.gz", f"{wal_name(1, 3)}.partial.gz", "notes.txt"):
        (folder.wal / name).touch()
    add_base(folder, day(1), 5, timeline=2)
    folder.prune(day(30), WEEK)
    assert names(folder.wal) == ["00000002.history.gz", f"{wal_name(2, 5)}.gz", "notes.txt"]


def test_what_an_interrupted_backup_has_left_is_deleted_and_never_listed(folder: BackupFolder):
    (folder.base / "20261101T030000Z.part" / "cluster").mkdir(parents=True)
    assert folder.base_backups() == []
    with pytest.raises(KeyboardInterrupt):
        interrupt_backup(folder)
    assert names(folder.base) == []


def interrupt_backup(folder: BackupFolder) -> None:
    with folder.part(folder.base, is_folder=True) as part:
        (part / "cluster").mkdir()
        raise KeyboardInterrupt


def test_two_backups_at_once_are_refused(folder: BackupFolder):
    with folder.locked(), pytest.raises(CommandError, match="another backup is being made"), folder.locked():
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="must be writable"), BackupFolder(tmp_path / "file").locked():
        pass
