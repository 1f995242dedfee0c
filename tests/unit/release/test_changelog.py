"""What a changelog must say before a version is released."""

from __future__ import annotations

import pytest

from release.changelog import problems, sections

READY = """# Changelog

## Unreleased

## 1.1.0 (2026-12-01)

### Added
- Boards.

## 1.0.0 (2026-11-01)

### Added
- All.
"""


def test_a_section_with_version_and_date_is_enough():
    assert problems(READY, "1.1.0") == []


def test_subheadings_belong_to_their_section():
    assert sections(READY)["1.1.0 (2026-12-01)"] == "### Added\n- Boards."


@pytest.mark.parametrize(
    ("text", "version", "problem"),
    [
        (READY, "1.2.0", "must have a section `## 1.2.0 (YYYY-MM-DD)`"),
        (READY.replace("1.1.0 (2026-12-01)", "1.1.0"), "1.1.0", "must have a section"),
        (READY, "1.0.0", "must be the first"),
        (READY.replace("### Added\n- Boards.", ""), "1.1.0", "must say what changed"),
        (READY.replace("## Unreleased\n", "## Unreleased\n\n- More.\n"), "1.1.0", "belongs to the section of 1.1.0"),
        (READY.replace("## Unreleased\n", ""), "1.1.0", "must keep a section `## Unreleased`"),
    ],
    ids=["no section", "no date", "older version", "empty", "left over", "no place for the next"],
)
def test_what_is_missing_is_named(text: str, version: str, problem: str):
    (found,) = problems(text, version)
    assert problem in found
