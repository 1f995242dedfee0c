"""The documents name files that exist, link to pages that exist, and list every design decision."""

from __future__ import annotations

import pkgutil
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = ROOT / "docs" / "decisions"
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
RECORDS = sorted(DECISIONS.glob("[0-9]*.md"))

SECTIONS = ["Context", "Decision", "Consequences"]
"""What every decision has, in this order; others may stand between them, such as what it replaces."""

PATH = re.compile(r"(?<![\w/.])(?:app|tests|bench|docs|migrations|web|examples|docker|locks|\.ci)/[\w./*-]*[\w*/-]")
"""A path from the root of the repository, in the text or in code."""

DOTTED = re.compile(r"(?<![\w/.])app(?:\.\w+)+(?::\w+)?")
"""A module of the application, or a name in one: `app.runtime.Runtime`, `app.runtime:utc_now`."""

LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)[^)]*\)")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_path_on_the_page_exists(page: Path):
    missing = [name for name in PATH.findall(page.read_text()) if not any(ROOT.glob(name.rstrip("/")))]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_on_the_page_leads_to_a_file(page: Path):
    broken = [target for target in LINK.findall(page.read_text()) if not (page.parent / target).exists()]
    assert broken == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / ".env.example"], ids=[*NAMES, ".env.example"])
def test_every_dotted_name_on_the_page_exists(page: Path):
    assert [name for name in DOTTED.findall(page.read_text()) if not is_importable(name)] == []


def is_importable(name: str) -> bool:
    """Return whether `name` is a module, or an attribute of one."""
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def test_every_decision_is_in_the_index():
    linked = LINK.findall((DECISIONS / "README.md").read_text())
    assert sorted(linked) == [record.name for record in RECORDS]


def test_every_decision_has_a_number_of_its_own():
    numbers = [record.name[:4] for record in RECORDS]
    assert [number for number in numbers if numbers.count(number) > 1] == []


@pytest.mark.parametrize("record", RECORDS, ids=[record.name for record in RECORDS])
def test_every_decision_follows_the_template(record: Path):
    text = record.read_text()
    assert text.startswith(f"# {int(record.name[:4])}. ")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert [heading for heading in headings if heading in SECTIONS] == SECTIONS


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_the_direction_of_imports_is_the_one_that_is_checked(name: str):
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    layers = [layer for line in contract["layers"] for layer in line.replace("app.", "").split(" | ")]
    written = re.search(r"cli > [\w\s>|]+ > domain", (ROOT / name).read_text())
    assert written is not None
    assert [layer for layer in re.findall(r"\w+", written[0]) if layer in layers] == layers
