"""Loading of the settings. All problems are reported at once."""

from __future__ import annotations

from pydantic import ValidationError

from app.config.settings import Settings


class SettingsError(Exception):
    """The settings are not valid. `problems` has one line per problem, with names as in the environment."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def load_settings(**overrides: object) -> Settings:
    """Load the settings from `overrides`, else the environment, else `.env`, else the defaults.

    Raises:
        SettingsError: A setting is not valid, or settings contradict each other.
    """
    problems: list[str] = []
    while True:
        try:
            settings = Settings(**overrides)  # type: ignore[arg-type]
            break
        except ValidationError as error:
            problems += _describe(error)
            broken = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        if not broken - overrides.keys():
            break
        # Contradictions are checked last, and only if every value is valid by itself. Replace the invalid values by
        # their defaults and validate again, so that one start reports all problems.
        overrides |= {name: Settings.model_fields[name].default for name in broken}
    if problems:
        raise SettingsError(problems)
    return settings


def _describe(error: ValidationError) -> list[str]:
    problems = []
    for problem in error.errors():
        where = "_".join(str(part) for part in problem["loc"]).upper()
        text = problem["msg"].removeprefix("Value error, ")
        problems += [f"{where}: {line}" if where else line for line in text.splitlines()]
    return problems
