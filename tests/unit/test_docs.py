"""The documents name files that exist, link to pages that exist, and list every design decision."""

from __future__ import annotations

import pkgutil
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from app.cli.program import build_program
from app.config import Settings
from app.domain.catalogue.changes import CatalogueLimits, action_change, category_change
from app.error_codes import ErrorCode
from app.transport.http.responses import STATUS_OF_CODE

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

PATH = re.compile(
    r"(?<![\w/.])(?:app|tests|bench|docs|migrations|web|clients|examples|docker|locks|\.ci)/[\w./*-]*[\w*/-]"
)
"""A path from the root of the repository, in the text or in code."""

DOTTED = re.compile(r"(?<![\w/.])app(?:\.\w+)+(?::\w+)?")
"""A module of the application, or a name in one: `app.runtime.Runtime`, `app.runtime:utc_now`."""

GUIDES = [page for page in PAGES if page.name != "CHANGELOG.md" and DECISIONS not in page.parents]

COMMAND = re.compile(
    r"(?:^(?:\$ )?|`)(?:\.venv/bin/)?leaderboard ([a-z][^`#|&>;$]*?)(?=`|\s+#|\s*[|&>;$]|\n\n|\n(?:\S))", re.MULTILINE
)
"""A call of the program at the beginning of a line, or in code within a line, which may be broken."""

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


@pytest.mark.parametrize("page", GUIDES, ids=[str(page.relative_to(ROOT)) for page in GUIDES])
def test_every_command_with_arguments_on_the_page_can_be_called_like_that(page: Path):
    commands = [" ".join(written.split()) for written in COMMAND.findall(page.read_text())]
    assert [(command, problem) for command in commands if (problem := problem_of(command)) is not None] == []


def problem_of(written: str) -> str | None:
    """Return what is wrong with the options and arguments of a command; values may be placeholders."""
    command, words = get_command(build_program()), shlex.split(written)
    while hasattr(command, "commands"):
        if not words or words[0] not in command.commands:
            return f"there is no command {written!r}"
        command = command.commands[words.pop(0)]
    if not words:
        return None  # The name of the command, and no example of a call.
    try:
        command.make_context(command.name, words)
    except Exception as error:  # typer has no public name for the classes.
        names = {each.__name__ for each in type(error).__mro__}
        return str(error) if names & {"NoSuchOption", "BadOptionUsage", "MissingParameter"} else None
    return None


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


def test_the_reference_of_errors_has_every_code_once():
    rows = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(ErrorCode)


def test_the_reference_of_errors_says_the_status_of_every_code():
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+)[^|]* \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)
    assert rows
    assert {code: int(status) for code, status in rows} == {
        code: STATUS_OF_CODE.get(ErrorCode(code), 400) for code, _ in rows
    }


LIMITS = CatalogueLimits(points=100, token_seconds=300)


def documented_fields(section: str) -> list[str]:
    text = (ROOT / "docs" / "catalogue.md").read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [name for row in re.findall(r"^\| (`.+?`) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]


def test_the_reference_of_the_catalogue_has_every_field():
    category = category_change(None, {"id": "a", "name": "A"}, LIMITS).after
    action = action_change(None, {"id": "B", "name": "B", "points": 1}, LIMITS).after
    assert documented_fields("Categories") == list(category)
    assert documented_fields("Actions") == list(action)


def test_the_example_of_the_catalogue_is_valid():
    example = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "catalogue.md").read_text(), re.DOTALL | re.MULTILINE)
    documents = yaml.safe_load(example[0])
    for category in documents["categories"]:
        category_change(None, category, LIMITS)
    for action in documents["actions"]:
        action_change(None, action, LIMITS)
    assert {action["category"] for action in documents["actions"]} == {one["id"] for one in documents["categories"]}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_revision_of_the_database_on_the_page_exists(page: Path):
    named = re.findall(r"\b(00\d\d_[a-z]\w+)", page.read_text())
    assert [name for name in named if not list((ROOT / "migrations" / "versions").glob(f"{name}.py"))] == []


def test_the_overview_names_every_package_of_services():
    packages = {path.parent.name for path in (ROOT / "app" / "services").glob("*/__init__.py")}
    text = (ROOT / "docs" / "architecture.md").read_text()
    overview = text.partition("`app/services/` is divided into")[2].partition("\n\n")[0]
    assert packages <= set(re.findall(r"`(\w+)`", overview))


def test_the_page_of_limits_states_the_defaults_of_rate_limits():
    text = (ROOT / "docs" / "limits.md").read_text()
    rows = re.findall(r"\| ([\d ]+) a (?:minute|second) \| `([A-Z_]+)` \|", text)
    assert len(rows) == 9
    assert {name: int(number.replace(" ", "")) for number, name in rows} == {
        name: Settings.model_fields[name.lower()].default for _, name in rows
    }
