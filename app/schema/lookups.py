"""The look-ups of fields: how much each asks of the stores, by its arguments.

A look-up is about the work of reading one player by id or one row by its index. The functions are the metadata
`lookups` of fields; their parameters have the names of the arguments of the resolvers. Values beyond the allowed range
count as the largest allowed one: the resolver refuses them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from app.domain.boards.board import TOP
from app.domain.boards.board_part import BoardPart
from app.domain.boards.board_query import MAX_RADIUS, MAX_SELECTED_USERS
from app.domain.boards.periods import Period
from app.domain.boards.views import Around
from app.domain.players.score_history import MAX_POINTS, Step
from app.domain.rules.stated_values import MAX_REPORTS
from app.schema.arguments import DEFAULT_FIRST, DEFAULT_STANDINGS
from app.schema.nodes import MAX_NODES

PAST = 200
"""A board as it was at a past instant, which is computed from the ledger."""

ROW = 2
"""A row by its id, whichever of two tables has it."""

ENDPOINTS = 20
"""All endpoints of events, each with a count of its deliveries."""

WINDOW = 20
"""A board of a window that may be over, so that PostgreSQL has to read it."""

REPORT = 10
"""An action that a back end reports: its user's accounts are read and written."""

PROFILE = 20
"""A profile: totals, averages and achievements of one player."""

MOVEMENT = 40
"""The ranks of the users of a page at the end of a day, of which one read serves many requests."""

EXPORT = 200
"""The export of all data of one player."""

WINDOW_LENGTHS = {Period.DAILY: timedelta(days=1), Period.WEEKLY: timedelta(weeks=1)}
"""The lengths of the windows of a period; a month is at least four weeks."""


def page(limit: int, offset: int, at: datetime | None) -> int:
    """Count a page of a board. The top of a current board is in memory and costs one."""
    entries = _within(limit, TOP)
    past = PAST if at is not None else 0
    return past + (1 if at is None and entries + max(0, offset) <= TOP else entries)


def standing(at: datetime | None) -> int:
    """Count the standing of one player."""
    return 1 if at is None else PAST


def around(radius: int) -> int:
    """Count a player with the entries above and below."""
    return 2 * _within(radius, MAX_RADIUS) + 1


def around_user(around_user_id: str | None, radius: int) -> int:
    """Count the watched part of a board: its top, or the entries around a player."""
    return 1 if around_user_id is None else around(radius)


def movement() -> int:
    """Count the past ranks of a page, which are read together and kept."""
    return MOVEMENT


def standings(first: int | None, last: int | None) -> int:
    """Count a page of standings."""
    size = first if last is None else last
    return _within(DEFAULT_STANDINGS if size is None else size, TOP)


def own_entry() -> int:
    """Count the caller's own entry."""
    return 1


def selection(user_ids: list[str]) -> int:
    """Count the players that are compared."""
    return _within(len(user_ids), MAX_SELECTED_USERS)


def score_history(begin: datetime, end: datetime, step: Step) -> int:
    """Count the points of a history."""
    return _buckets(begin, end, step.length)


def rank_history(begin: datetime, end: datetime, period: Period) -> int:
    """Count the closed windows of a history."""
    return _buckets(begin, end, WINDOW_LENGTHS.get(period, timedelta(weeks=4)))


def entry() -> int:
    """Count what is read for one entry of a list, for each of them."""
    return 1


def reports(inputs: list[object]) -> int:
    """Count the actions that a back end reports at once."""
    return REPORT * _within(len(inputs), MAX_REPORTS)


def rows(first: int | None) -> int:
    """Count a page of rows."""
    return _within(DEFAULT_FIRST if first is None else first, TOP)


def node(id: str) -> int:
    """Count the object with an id."""
    type_name, _, key = id.partition(":")
    if type_name == "PlayerProfile":
        return PROFILE
    if type_name == "Leaderboard":
        part = BoardPart.parse(key)
        entries = ROW if part is None else _part(part)
    elif type_name in ("LeaderboardEntry", "UserRank"):
        entries = 1
    else:
        return ROW
    if "@" in key:
        return PAST + entries
    return entries if f"/{Period.ALL_TIME.value}" in key else WINDOW + entries


def nodes(ids: list[str]) -> int:
    """Count the objects with these ids, of which the resolver accepts no more than `MAX_NODES`."""
    return sum(map(node, ids[:MAX_NODES]))


def search(first: int | None) -> int:
    """Count the players that a search finds, and the search itself."""
    return 10 + rows(first)


def profile() -> int:
    """Count a profile."""
    return PROFILE


def export() -> int:
    """Count an export."""
    return EXPORT


def held_scores() -> int:
    """Count the newest 100 held completions."""
    return 100


def _part(part: BoardPart) -> int:
    view = part.view
    return around(view.radius) if isinstance(view, Around) else page(view.limit, view.offset, None)


def _within(value: int, maximum: int) -> int:
    return min(max(value, 0), maximum)


def _buckets(begin: datetime, end: datetime, length: timedelta) -> int:
    if begin.tzinfo is None or end.tzinfo is None or begin >= end:
        return 0  # The resolver refuses it.
    return _within(-((begin - end) // length), MAX_POINTS)


def endpoints() -> int:
    """Count the list of endpoints."""
    return ENDPOINTS
