"""`make audit` tells what is vulnerable from what could not be looked up."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

AUDIT = Path(__file__).resolve().parents[2] / "locks" / "audit.sh"

CLEAN = "echo 'No known vulnerabilities found'"
PYTHON_FINDING = "echo 'Found 1 known vulnerability in 1 package' >&2; echo 'starlette 0.1 CVE-2020-0001 1.0'; exit 1"
PYTHON_UNREACHABLE = "echo 'ERROR:pip_audit._cli:uv: Dependency not found' >&2; exit 1"
NODE_FINDING = "echo '1 high severity vulnerability'; exit 1"
NODE_UNREACHABLE = "echo 'npm warn audit 405 Method Not Allowed'; echo 'npm error audit endpoint' >&2; exit 1"


def audit(folder: Path, pip_audit: str, npm: str) -> subprocess.CompletedProcess[str]:
    """Run the audit with programs that print what the real ones print."""
    programs = []
    for name, script in (("pip-audit", pip_audit), ("npm", npm)):
        program = folder / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        programs.append(str(program))
    return subprocess.run(["sh", str(AUDIT), *programs], capture_output=True, text=True, timeout=60)


def test_nothing_known_about_anything_that_is_locked_is_a_success(tmp_path: Path):
    result = audit(tmp_path, CLEAN, CLEAN)
    assert (result.returncode, result.stderr) == (0, "")
    assert "locks/dev.txt: no known vulnerabilities" in result.stdout
    assert "web/package-lock.json: no known vulnerabilities" in result.stdout


@pytest.mark.parametrize(
    ("pip_audit", "npm", "shown"),
    [(PYTHON_FINDING, NODE_UNREACHABLE, "CVE-2020-0001"), (PYTHON_UNREACHABLE, NODE_FINDING, "1 high severity")],
)
def test_a_known_vulnerability_is_shown_and_fails_whatever_else_could_not_be_read(
    tmp_path: Path, pip_audit: str, npm: str, shown: str
):
    result = audit(tmp_path, pip_audit, npm)
    assert result.returncode == 1
    assert shown in result.stdout


def test_a_list_that_cannot_be_read_is_a_failure_of_its_own_and_one_line_for_each_lock(tmp_path: Path):
    result = audit(tmp_path, PYTHON_UNREACHABLE, NODE_UNREACHABLE)
    assert (result.returncode, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert len(lines) == 5 + 4  # Locks of Python and of Node.
    assert "locks/uv.txt: could not be audited: uv: Dependency not found" in lines
    assert "web/package-lock.json: could not be audited: npm warn audit 405 Method Not Allowed" in lines
