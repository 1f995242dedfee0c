"""Read the sections of CHANGELOG.md."""

from __future__ import annotations

import re

HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
RELEASED = re.compile(r"(?P<version>\S+) \(\d{4}-\d{2}-\d{2}\)")
UNRELEASED = "Unreleased"


def sections(text: str) -> dict[str, str]:
    """Return the text below each heading of the second level, in the order of the file."""
    parts = HEADING.split(text)
    return {heading.strip(): body.strip() for heading, body in zip(parts[1::2], parts[2::2], strict=True)}


def problems(text: str, version: str) -> list[str]:
    """Return what keeps `version` from being released with this changelog, as sentences."""
    found = sections(text)
    released = {match["version"]: heading for heading in found if (match := RELEASED.fullmatch(heading))}
    result = []
    if version not in released:
        result.append(f"CHANGELOG.md must have a section `## {version} (YYYY-MM-DD)`.")
    else:
        if not found[released[version]]:
            result.append(f"The section of {version} in CHANGELOG.md must say what changed.")
        if next(iter(released)) != version:
            result.append(f"The section of {version} must be the first below `## {UNRELEASED}`.")
        if found.get(UNRELEASED):
            result.append(f"What is below `## {UNRELEASED}` belongs to the section of {version}, or to no release.")
    if UNRELEASED not in found:
        result.append(f"CHANGELOG.md must keep a section `## {UNRELEASED}` for what comes next.")
    return result
