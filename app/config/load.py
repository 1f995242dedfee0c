"""Loading of the settings. All problems are reported at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

from pydantic import ValidationError

from app.config.environment import read_environment, read_files, unknown_names
from app.config.settings import Settings


class SettingsError(Exception):
    """The settings are not valid. `problems` has one line per problem, with names as in the environment."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def load_settings(required: Mapping[str, str] = MappingProxyType({}), /, **overrides: object) -> Settings:
    """Load the settings from `overrides`, else the environment, else `.env`, else the defaults.

    A variable with the suffix `_FILE` names a file with the value of a setting that may be secret.

    Args:
        required: Settings without a default that must be set, each with what is said if it is not.
        overrides: Values of settings by name. `_env_file` names another file than `.env`, or None for no file.

    Raises:
        SettingsError: A setting is not valid, or settings contradict each other.
    """
    environment = read_environment(cast("str | None", overrides.get("_env_file", ".env")))
    of_files, problems = read_files(environment, overrides)
    values: dict[str, Any] = {**of_files, **overrides}
    replaced: set[str] = set()
    while True:
        try:
            settings = Settings(**values)
            break
        except ValidationError as error:
            problems += _describe(error)
            broken = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        if not broken - replaced:
            break
        # Contradictions are checked last, and only if every value is valid by itself. Replace the invalid values by
        # their defaults and validate again, so that one start reports all problems.
        replaced |= broken
        values |= {name: Settings.model_fields[name].get_default(call_default_factory=True) for name in broken}
    problems += [
        f"{name.upper()} {reason}"
        for name, reason in required.items()
        if name.upper() not in environment and not values.get(name) and not _names(problems, name)
    ]
    if problems:
        raise SettingsError(problems)
    return settings


def unknown_settings() -> dict[str, str]:
    """Return the variables of the environment and `.env` that look like settings and are none, with an advice."""
    return unknown_names(read_environment(".env"))


def _names(problems: Sequence[str], name: str) -> bool:
    return any(problem.startswith(name.upper()) for problem in problems)


def _describe(error: ValidationError) -> list[str]:
    problems = []
    for problem in error.errors():
        where = "_".join(str(part) for part in problem["loc"]).upper()
        text = problem["msg"].removeprefix("Value error, ")
        problems += [f"{where}: {line}" if where else line for line in text.splitlines()]
    return problems
