"""The production image has no `app.embedded`, and does not need it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[4]

MODULES = (
    "app.main", "app.server", "app.cli.commands.serve", "app.cli.process.stores", "app.cli.process.workers",
    "app.cli.process.open_services",
)  # fmt: skip

WITHOUT_EMBEDDED = "import sys; sys.modules['app.embedded'] = None\n"


def run_without_embedded(code: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process in which `app.embedded` cannot be imported."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_EMBEDDED + code],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={"PATH": os.defpath, "PYTHONPATH": str(CHECKOUT)} | environment,
        timeout=60,
        check=False,
    )


def test_app_embedded_is_not_copied_into_the_image():
    assert "app/embedded" in (CHECKOUT / ".dockerignore").read_text().splitlines()


def test_a_server_needs_no_module_of_app_embedded(tmp_path: Path):
    ended = run_without_embedded(f"import importlib; [importlib.import_module(m) for m in {MODULES}]", tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_stores_that_are_set_are_used_without_app_embedded(tmp_path: Path):
    code = """
from app.cli.process.stores import open_settings_with_stores
with open_settings_with_stores() as settings:
    print(settings.database_url, settings.redis_url)
"""
    urls = {"DATABASE_URL": "postgresql+asyncpg://db.example/leaderboard", "REDIS_URL": "redis://redis.example/0"}
    ended = run_without_embedded(code, tmp_path, **urls)
    assert ended.stdout.split() == [*urls.values()], ended.stderr


def test_without_stores_the_settings_that_are_missing_are_named_in_one_line(tmp_path: Path):
    code = "from app.cli.program import run; raise SystemExit(run(['top']))"
    ended = run_without_embedded(code, tmp_path)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "DATABASE_URL and REDIS_URL must be set" in line
