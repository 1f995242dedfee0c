"""Scores: their range, and how they are written for people.

A score is always a whole number. Its format says what it counts: points, hundredths of a metre, milliseconds. The text
does not depend on a locale, so that the service, the command line and the page write the same one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from app.domain.errors import BadUserInput

MAX_SCORE = 2**53 - 1
"""The highest score, and the largest change of one.

JavaScript and the sorted sets of Redis have double-precision numbers, which are exact up to here (IEEE 754, RFC 8259).
"""

MAX_DIGITS = 15
"""The maximum digits after the decimal point: the highest score then has one before it."""

MAX_UNIT = 12
"""The maximum characters of a unit."""


class ScoreFormatKind(StrEnum):
    """What a score counts: whole units, a decimal fraction of a unit, or milliseconds."""

    INTEGER = "INTEGER"
    DECIMAL = "DECIMAL"
    DURATION_MS = "DURATION_MS"


@dataclass(frozen=True, slots=True)
class ScoreFormat:
    """How scores are written.

    Attributes:
        kind: What a score counts.
        digits: How many of the digits of a DECIMAL are after the decimal point; 0 for the other kinds.
        unit: What is written after the number, for example `pts`; None for nothing.
    """

    kind: ScoreFormatKind = ScoreFormatKind.INTEGER
    digits: int = 0
    unit: str | None = None

    def text(self, score: int) -> str:
        """Return a score as text: `12,345`, `123.45`, `1:23.250` or `1:02:03.004`, with the unit if there is one.

        Args:
            score: A score, or a change of one, which may be negative.
        """
        sign = "-" if score < 0 else ""
        return f"{sign}{self._number(abs(score))}{'' if self.unit is None else f' {self.unit}'}"

    def change_text(self, change: int) -> str:
        """Return a change of a score as text, with its sign."""
        return f"{'' if change < 0 else '+'}{self.text(change)}"

    def _number(self, score: int) -> str:
        # By whole numbers: a quotient of large ones is not exact.
        match self.kind:
            case ScoreFormatKind.DECIMAL:
                whole, fraction = divmod(score, 10**self.digits)
                return f"{whole:,}.{fraction:0{self.digits}}"
            case ScoreFormatKind.DURATION_MS:
                seconds, milliseconds = divmod(score, 1_000)
                minutes, seconds = divmod(seconds, 60)
                hours, minutes = divmod(minutes, 60)
                clock = f"{hours:,}:{minutes:02}" if hours else str(minutes)
                return f"{clock}:{seconds:02}.{milliseconds:03}"
            case ScoreFormatKind.INTEGER:
                return f"{score:,}"

    def document(self) -> dict[str, Any]:
        """Return the format as a JSON object of the catalogue."""
        return {"kind": self.kind.value, "digits": self.digits or None, "unit": self.unit}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the format of a JSON object of the catalogue that was validated before."""
        return cls(ScoreFormatKind(document["kind"]), document.get("digits") or 0, document.get("unit"))


WHOLE_NUMBERS = ScoreFormat()
"""The format of categories that have no other one."""


def parse_score_format(name: str, value: Any) -> dict[str, Any]:
    """Validate the score format of a category, and return its document with all fields.

    Args:
        name: The name of the field, for messages.
        value: The given value.

    Raises:
        BadUserInput: The format is invalid.
    """
    if not isinstance(value, Mapping) or not set(value) <= {"kind", "digits", "unit"}:
        raise BadUserInput(f"`{name}` must have a `kind`, and may have `digits` and a `unit`.")
    kind, digits, unit = value.get("kind"), value.get("digits"), value.get("unit")
    if kind not in list(ScoreFormatKind):
        raise BadUserInput(f"`{name}.kind` must be one of {', '.join(ScoreFormatKind)}.")
    if (kind == ScoreFormatKind.DECIMAL) != (digits is not None):
        raise BadUserInput(f"`{name}.digits` must be given for DECIMAL, and for no other kind.")
    if digits is not None and (type(digits) is not int or not 1 <= digits <= MAX_DIGITS):
        raise BadUserInput(f"`{name}.digits` must be a whole number from 1 to {MAX_DIGITS}.")
    if unit is not None and not _is_unit(unit):
        raise BadUserInput(
            f"`{name}.unit` must be a text of 1 to {MAX_UNIT} visible characters, without white space at its ends."
        )
    return ScoreFormat(ScoreFormatKind(kind), digits or 0, unit).document()


def _is_unit(unit: Any) -> bool:
    return isinstance(unit, str) and unit.isprintable() and unit == unit.strip() and 1 <= len(unit) <= MAX_UNIT
