"""What a wheel must contain."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from release.wheel import problems

CONTENTS = ("app/static/index.html", "app/static/assets/page.js", "migrations/versions/0001_baseline.py", "app/put.lua")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in CONTENTS:
        path = tmp_path / "checkout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "checkout"


def wheel_with(folder: Path, *names: str) -> Path:
    path = folder / "leaderboard.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return path


def in_wheel(name: str) -> str:
    return f"app/{name}" if name.startswith("migrations") else name


def test_a_wheel_with_the_page_the_migrations_and_the_scripts_is_complete(tmp_path: Path, checkout: Path):
    assert problems(wheel_with(tmp_path, *map(in_wheel, CONTENTS)), checkout) == []


@pytest.mark.parametrize("missing", CONTENTS)
def test_a_file_that_is_missing_is_named(tmp_path: Path, checkout: Path, missing: str):
    kept = (in_wheel(name) for name in CONTENTS if name != missing)
    (problem,) = problems(wheel_with(tmp_path, *kept), checkout)
    assert in_wheel(missing) in problem


def test_a_page_that_was_not_built_is_a_problem(tmp_path: Path, checkout: Path):
    for name in ("index.html", "assets/page.js"):
        (checkout / "app/static" / name).unlink()
    assert problems(wheel_with(tmp_path, *map(in_wheel, CONTENTS)), checkout) == ["The checkout must contain the page."]
