"""Balances from a file: CSV with a line of names, or an object of JSON on each line."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson

from app.domain.errors import BadUserInput
from app.domain.ledger.opening import Balance
from app.domain.users import user_id_of
from app.domain.validation import clean_avatar_url, clean_username

FIELDS = ("user", "username", "score", "reached_at", "avatar_url")


class BalanceError(Exception):
    """A line is no balance. The text names the line and says why."""


def read_csv(lines: Iterable[str], issuer: str, most: int, now: datetime) -> Iterator[Balance]:
    """The balances of a CSV file, whose first line names the columns. Raises BalanceError while iterating."""
    rows = csv.DictReader(lines)
    if not {"user", "score"} <= set(rows.fieldnames or ()) <= set(FIELDS):
        raise BalanceError("line 1: the columns must be user and score; optional: username, reached_at, avatar_url")
    yield from _read(((rows.line_num, row) for row in rows), issuer, most, now)


def read_json(lines: Iterable[str], issuer: str, most: int, now: datetime) -> Iterator[Balance]:
    """The balances of a file with an object on each line. Raises BalanceError while iterating."""

    def objects() -> Iterator[tuple[int, Any]]:
        for number, line in enumerate(lines, 1):
            try:
                yield number, orjson.loads(line)
            except ValueError:
                raise BalanceError(f"line {number}: must be a JSON object") from None

    yield from _read(objects(), issuer, most, now)


def _read(rows: Iterable[tuple[int, Any]], issuer: str, most: int, now: datetime) -> Iterator[Balance]:
    for number, row in rows:
        try:
            if not isinstance(row, Mapping) or not set(row) <= set(FIELDS):
                raise BadUserInput(f"the fields must be among {', '.join(FIELDS)}")
            yield _balance(row, issuer, most, now)
        except BadUserInput as problem:
            raise BalanceError(f"line {number}: {problem.message}") from None


def _balance(row: Mapping[str, Any], issuer: str, most: int, now: datetime) -> Balance:
    user = row.get("user")
    if not isinstance(user, str) or not user.strip():
        raise BadUserInput("`user` must be the user's UUID, or the `sub` claim of the user's access tokens")
    user, avatar_url, reached_at = user.strip(), row.get("avatar_url"), row.get("reached_at")
    return Balance(
        user_id=user_id_of(issuer, user),
        username=clean_username(str(row.get("username") or user)),
        avatar_url=clean_avatar_url(avatar_url if isinstance(avatar_url, str) else None),
        score=_score(row.get("score"), most),
        reached_at=_past(reached_at, now) if reached_at else None,
    )


def _score(raw: object, most: int) -> int:
    try:
        score = int(raw) if isinstance(raw, int | str) and not isinstance(raw, bool) else 0
    except ValueError:
        score = 0
    if not 1 <= score <= most:
        raise BadUserInput(f"`score` must be a whole number from 1 to {most}")
    return score


def _past(raw: object, now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(raw) if isinstance(raw, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or at > now:
        raise BadUserInput("`reached_at` must be a past time with a time zone")
    return at
