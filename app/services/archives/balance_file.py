"""Balances from a file: CSV with a header line, or JSON Lines."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import IO, Any, TypeAlias

import orjson

from app.domain.errors import BadUserInput
from app.domain.ledger.opening import Balance
from app.domain.players.names import clean_avatar_url, display_name
from app.domain.users import MAX_SUBJECT_LENGTH, SubjectIds

BALANCE_FIELDS = ("user", "username", "score", "reached_at", "avatar_url")
DELIMITERS = ",;\t"
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""The earliest time of a transaction: their ids count from here (RFC 9562, version 7)."""

Row: TypeAlias = tuple[int, Any]
"""The number of a line, and what it contains or the BadUserInput that says why it cannot be read."""


class BalanceError(Exception):
    """The file as a whole cannot be read. The message gives the line and the reason."""


@dataclass(frozen=True, slots=True)
class InvalidLine:
    """A line that is not a balance, and the reason."""

    number: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.reason}"


@dataclass(frozen=True, slots=True)
class BalanceFile:
    """Reads balances.

    A file whose first character is `{` has a JSON object on each line. Any other file is CSV: its first line names the
    columns, which commas, semicolons or tabs separate. Blank lines are skipped.

    Attributes:
        subject_ids: The user ids of subjects.
        max_score: The highest score that is allowed.
        now: The time after which `reached_at` must not be.
    """

    subject_ids: SubjectIds
    max_score: int
    now: datetime

    def read(self, content: IO[bytes], on_invalid: Callable[[InvalidLine], object]) -> Iterator[Balance]:
        """Yield the balances of a file in UTF-8, and pass the lines that are not valid to `on_invalid`.

        Raises:
            BalanceError: The first line is not a header with the expected columns.
        """
        filled = ((number, line) for number, line in enumerate(content, 1) if line.strip())
        first = next(filled, None)
        if first is None:
            raise BalanceError("the file is empty")
        lines = chain([first], filled)
        rows = _read_json(lines) if first[1].lstrip().startswith(b"{") else _read_csv(lines)
        for number, row in rows:
            try:
                if isinstance(row, BadUserInput):
                    raise row
                yield self._parse_balance(row)
            except BadUserInput as problem:
                on_invalid(InvalidLine(number, problem.message))

    def _parse_balance(self, row: object) -> Balance:
        if not isinstance(row, Mapping) or not set(row) <= set(BALANCE_FIELDS):
            raise BadUserInput(f"the fields must be among {', '.join(BALANCE_FIELDS)}")
        user = row.get("user")
        if not isinstance(user, str) or not 0 < len(user.strip()) <= MAX_SUBJECT_LENGTH:
            raise BadUserInput(
                f"`user` must be the `sub` claim of the user's access tokens, 1 to {MAX_SUBJECT_LENGTH} characters"
            )
        user, reached_at = user.strip(), row.get("reached_at")
        user_id = self.subject_ids.user_id(user)
        return Balance(
            user_id=user_id,
            username=display_name(str(row.get("username") or user), user_id),
            avatar_url=clean_avatar_url(row.get("avatar_url")),
            score=self._parse_score(row.get("score")),
            reached_at=self._parse_past_time(reached_at) if reached_at else None,
        )

    def _parse_score(self, raw: object) -> int:
        try:
            score = int(raw) if isinstance(raw, int | str) and not isinstance(raw, bool) else 0
        except ValueError:
            score = 0
        if not 1 <= score <= self.max_score:
            raise BadUserInput(f"`score` must be a whole number from 1 to {self.max_score}")
        return score

    def _parse_past_time(self, raw: object) -> datetime:
        try:
            at = datetime.fromisoformat(raw.strip()) if isinstance(raw, str) else None
        except ValueError:
            at = None
        if at is None or at.tzinfo is None or not EARLIEST <= at <= self.now:
            raise BadUserInput(
                "`reached_at` must be a time from 1970 until now with a time zone, such as 2026-01-31T12:00:00Z"
            )
        return at


def _read_json(lines: Iterable[tuple[int, bytes]]) -> Iterator[Row]:
    for number, line in lines:
        try:
            yield number, orjson.loads(line)
        except ValueError:
            yield number, BadUserInput("must be a JSON object in UTF-8")


def _read_csv(lines: Iterator[tuple[int, bytes]]) -> Iterator[Row]:
    first, header = next(lines)
    text = header.decode(errors="replace")
    delimiter = max(DELIMITERS, key=text.count)
    columns = [name.strip().lower() for name in next(csv.reader([text], delimiter=delimiter))]
    if not {"user", "score"} <= set(columns) <= set(BALANCE_FIELDS):
        raise BalanceError(
            f"line {first}: must name the columns: user and score; optional: username, reached_at, avatar_url "
            "(or each line must be a JSON object)"
        )
    for number, line in lines:
        # One line is one balance: a quotation mark that is not closed must not swallow the lines after it.
        try:
            (cells,) = csv.reader([line.decode()], delimiter=delimiter, strict=True)
        except UnicodeDecodeError:
            yield number, BadUserInput("must be UTF-8: save the file with this encoding")
        except csv.Error as error:
            yield number, BadUserInput(f"must be a line of CSV: {error}")
        else:
            if len(cells) > len(columns):
                yield number, BadUserInput(f"must have at most {len(columns)} cells, but has {len(cells)}")
            else:
                yield number, dict(zip(columns, cells, strict=False))
