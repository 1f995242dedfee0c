"""Balances from a file: CSV with a header line, or JSON Lines."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import orjson

from app.domain.errors import BadUserInput
from app.domain.ledger.opening import Balance
from app.domain.players.names import clean_avatar_url, display_name
from app.domain.users import SubjectIds

BALANCE_FIELDS = ("user", "username", "score", "reached_at", "avatar_url")


class BalanceError(Exception):
    """A line is not a valid balance. The message gives the line and the reason."""


def read_csv(lines: Iterable[str], subject_ids: SubjectIds, max_score: int, now: datetime) -> Iterator[Balance]:
    """Yield the balances of a CSV file whose first line names the columns.

    Args:
        lines: The lines of the file.
        subject_ids: The user ids of subjects.
        max_score: The highest score that is allowed.
        now: The time after which `reached_at` must not be.

    Raises:
        BalanceError: A line is invalid.
    """
    rows = csv.DictReader(lines)
    if not {"user", "score"} <= set(rows.fieldnames or ()) <= set(BALANCE_FIELDS):
        raise BalanceError("line 1: the columns must be user and score; optional: username, reached_at, avatar_url")
    yield from _parse_rows(((rows.line_num, row) for row in rows), subject_ids, max_score, now)


def read_json(lines: Iterable[str], subject_ids: SubjectIds, max_score: int, now: datetime) -> Iterator[Balance]:
    """Yield the balances of a file with a JSON object on each line. Arguments and errors are those of `read_csv`."""

    def objects() -> Iterator[tuple[int, Any]]:
        for number, line in enumerate(lines, 1):
            try:
                yield number, orjson.loads(line)
            except ValueError:
                raise BalanceError(f"line {number}: must be a JSON object") from None

    yield from _parse_rows(objects(), subject_ids, max_score, now)


def _parse_rows(
    rows: Iterable[tuple[int, Any]], subject_ids: SubjectIds, max_score: int, now: datetime
) -> Iterator[Balance]:
    for number, row in rows:
        try:
            if not isinstance(row, Mapping) or not set(row) <= set(BALANCE_FIELDS):
                raise BadUserInput(f"the fields must be among {', '.join(BALANCE_FIELDS)}")
            yield _parse_balance(row, subject_ids, max_score, now)
        except BadUserInput as problem:
            raise BalanceError(f"line {number}: {problem.message}") from None


def _parse_balance(row: Mapping[str, Any], subject_ids: SubjectIds, max_score: int, now: datetime) -> Balance:
    user = row.get("user")
    if not isinstance(user, str) or not user.strip():
        raise BadUserInput("`user` must be the `sub` claim of the user's access tokens")
    user, avatar_url, reached_at = user.strip(), row.get("avatar_url"), row.get("reached_at")
    user_id = subject_ids.user_id(user)
    return Balance(
        user_id=user_id,
        username=display_name(str(row.get("username") or user), user_id),
        avatar_url=clean_avatar_url(avatar_url),
        score=_parse_score(row.get("score"), max_score),
        reached_at=_parse_past_time(reached_at, now) if reached_at else None,
    )


def _parse_score(raw: object, max_score: int) -> int:
    try:
        score = int(raw) if isinstance(raw, int | str) and not isinstance(raw, bool) else 0
    except ValueError:
        score = 0
    if not 1 <= score <= max_score:
        raise BadUserInput(f"`score` must be a whole number from 1 to {max_score}")
    return score


def _parse_past_time(raw: object, now: datetime) -> datetime:
    try:
        at = datetime.fromisoformat(raw) if isinstance(raw, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or at > now:
        raise BadUserInput("`reached_at` must be a past time with a time zone")
    return at
