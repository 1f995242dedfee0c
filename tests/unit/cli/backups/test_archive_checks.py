"""What a new base backup must find in the archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.cli.backups.folder import BackupFolder
from app.cli.backups.make_backup import require_archive
from app.cli.terminal.errors import CommandError
from tests.unit.cli.backups.folders import add_base, add_wal, day, make_folder


@pytest.fixture
def folder(tmp_path: Path) -> BackupFolder:
    return make_folder(tmp_path)


def test_the_archive_must_have_the_end_of_the_newest_base_backup(folder: BackupFolder):
    add_base(folder, day(1), 2)
    with pytest.raises(CommandError, match=r"000000010000000000000002\.gz did not come to .* within 0 s"):
        require_archive(folder, 0)
    add_wal(folder, range(2, 3))
    require_archive(folder, 0)


def test_a_gap_since_the_base_backup_before_is_an_error_once(folder: BackupFolder):
    add_base(folder, day(1), 2)
    add_wal(folder, range(2, 5))
    add_base(folder, day(2), 7)
    add_wal(folder, range(7, 9))
    with pytest.raises(
        CommandError, match=r"000000010000000000000005\.gz is missing in .*, and 1 more; nothing between"
    ):
        require_archive(folder, 0)
    add_base(folder, day(3), 8)
    require_archive(folder, 0)
