"""What operators install for backups calls `leaderboard backup` as it is."""

from __future__ import annotations

import configparser
import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from app.cli.program import build_program

ROOT = Path(__file__).resolve().parents[3]
OPS = ROOT / "ops"
PAGE = ROOT / "docs" / "operations" / "backups.md"


def of_systemd() -> list[str]:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(OPS / "backups" / "leaderboard-backup.service")
    program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert program.endswith("/leaderboard")
    return arguments


def of_kubernetes() -> list[str]:
    job = yaml.safe_load((OPS / "kubernetes" / "components" / "backup" / "backup.yaml").read_text())
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    arguments: list[str] = container["args"]
    return arguments


@pytest.mark.parametrize("arguments", [of_systemd(), of_kubernetes()], ids=["systemd", "kubernetes"])
def test_the_schedulers_call_the_command_with_options_that_it_has(arguments: list[str]):
    name, *rest = arguments
    context = get_command(build_program()).commands[name].make_context(name, rest)  # type: ignore[attr-defined]
    assert context.params["folder"] == Path("/backups")
    assert context.params["keep_days"] == 30


def test_the_page_names_options_that_exist():
    commands = get_command(build_program()).commands  # type: ignore[attr-defined]
    known = {option for name in ("backup", "restore") for each in commands[name].params for option in each.opts}
    text = PAGE.read_text()
    used = re.findall(r"`(--[a-z-]+)", text) + re.findall(r"leaderboard (?:backup|restore) [^`\n]*?(--[a-z-]+)", text)
    assert {"--to", "--keep-days", "--timeline", "--tools"} <= set(used)
    assert set(used) <= known


def test_the_page_archives_with_the_delivered_script():
    text = PAGE.read_text()
    (command,) = re.findall(r"archive_command = '(.+)'", text)
    script = (OPS / "backups" / "archive-wal.sh").read_text()
    assert f"archive_command = '{command}'" in script
    assert "install -D -m 0755 ops/backups/archive-wal.sh /etc/leaderboard/archive-wal.sh" in text
