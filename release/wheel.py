"""Check the contents of the wheel."""

from __future__ import annotations

import zipfile
from pathlib import Path


def problems(wheel: Path, checkout: Path) -> list[str]:
    """Return what the wheel lacks of what the service needs at run time, as sentences.

    Args:
        wheel: The file.
        checkout: The sources it was built from, with the built page in `app/static`.
    """
    with zipfile.ZipFile(wheel) as archive:
        contained = set(archive.namelist())
    wanted = {
        "the page": {str(path.relative_to(checkout)) for path in files(checkout / "app/static")},
        "the migrations": {f"app/{path.relative_to(checkout)}" for path in files(checkout / "migrations")},
        "the scripts for Redis": {str(path.relative_to(checkout)) for path in (checkout / "app").rglob("*.lua")},
    }
    result = []
    for what, names in wanted.items():
        if not names:
            result.append(f"The checkout must contain {what}.")
        elif missing := sorted(names - contained):
            result.append(f"The wheel must contain {what}: {', '.join(missing[:3])} … are missing ({len(missing)}).")
    return result


def files(folder: Path) -> list[Path]:
    """Return the files below a folder, without compiled ones."""
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
