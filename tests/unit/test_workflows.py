"""The workflows for a public forge are valid, run commands that exist, and have no more permissions than they need."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGET = re.compile(r"^([\w-]+):", re.MULTILINE)


def read(path: Path) -> dict[Any, Any]:
    document = yaml.safe_load(path.read_text())
    assert isinstance(document, dict)
    return document


def commands(workflow: dict[Any, Any]) -> list[str]:
    return [
        line.strip()
        for job in workflow["jobs"].values()
        for step in job["steps"]
        for line in step.get("run", "").splitlines()
    ]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_job_has_permissions_and_a_timeout(path: Path):
    workflow = read(path)
    assert workflow["permissions"]["contents"] in ("read", "write")
    assert all(job["timeout-minutes"] <= 90 for job in workflow["jobs"].values())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_make_target_of_a_workflow_exists(path: Path):
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))
    called = {match[1] for line in commands(read(path)) if (match := re.search(r"\bmake ([\w-]+)", line))}
    assert called <= targets


def test_a_change_is_checked_by_the_script_that_is_run_everywhere():
    workflow = read(ROOT / ".github" / "workflows" / "ci.yml")
    assert ".ci/run" in commands(workflow)
    assert {"push", "pull_request"} <= set(workflow[True])  # YAML 1.1 reads the key `on` as true.


def test_vulnerabilities_are_looked_for_regularly():
    workflow = read(ROOT / ".github" / "workflows" / "audit.yml")
    assert "make audit" in commands(workflow)
    assert workflow[True]["schedule"]


def test_updates_are_proposed_for_every_folder_with_packages_of_npm():
    updates = read(ROOT / ".github" / "dependabot.yml")["updates"]
    (npm,) = (update for update in updates if update["package-ecosystem"] == "npm")
    locks = [lock for depth in (1, 2, 3) for lock in ROOT.glob("*/" * depth + "package-lock.json")]
    folders = {lock.parent.relative_to(ROOT) for lock in locks}
    assert {f"/{folder}" for folder in folders if "node_modules" not in folder.parts} == set(npm["directories"])
