"""The report of `make coverage`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.coverage_report import by_file, by_package, least_covered, main


def summary(lines: int, of: int, branches: int = 0, of_branches: int = 0) -> dict[str, Any]:
    return {
        "summary": {
            "covered_lines": lines, "num_statements": of, "covered_branches": branches, "num_branches": of_branches,
        }
    }  # fmt: skip


REPORT = {
    "files": {
        "app/main.py": summary(10, 10),
        "app/services/ledger/post.py": summary(6, 10, 2, 10),
        "app/services/boards/queries.py": summary(8, 10),
        "app/services/boards/__init__.py": summary(0, 0),
    }
}


def test_lines_and_branches_count_alike():
    assert by_file(REPORT)["app/services/ledger/post.py"].percent == 40.0


def test_packages_are_those_directly_in_app():
    packages = by_package(by_file(REPORT))
    assert {name: (covered.executed, covered.total) for name, covered in packages.items()} == {
        "app": (10, 10),
        "app/services": (16, 30),
    }


def test_the_files_with_the_lowest_percentages_come_first_and_empty_ones_are_left_out():
    assert list(least_covered(by_file(REPORT), 2)) == ["app/services/ledger/post.py", "app/services/boards/queries.py"]


@pytest.mark.parametrize(("minimum", "code"), [("65", 0), ("66", 1)])
def test_too_little_coverage_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str], minimum: str, code: int):
    file = tmp_path / "coverage.json"
    file.write_text(json.dumps(REPORT))
    assert main(str(file), minimum) == code
    assert "Total: 65.0 %" in capsys.readouterr().out
