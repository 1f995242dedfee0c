"""Endpoints: where events are delivered to as webhooks, which of them, and when a failed delivery is repeated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from app.domain.errors import BadUserInput
from app.domain.events.event import EventType, RecordedEvent

MAX_ENDPOINTS = 50
"""Endpoints of an installation."""

MAX_URL_LENGTH = 2000
_CATEGORY_ID = re.compile(r"[a-z0-9_-]{1,50}")

MAX_CATEGORIES = 100
"""Categories that the filter of one endpoint may name."""

FAILURES_BEFORE_PAUSE = 5
"""Failures, without a success in between, after which an endpoint is paused."""

FIRST_RETRY_DELAY = timedelta(seconds=5)
MAX_RETRY_DELAY = timedelta(hours=4)
MAX_PAUSE = timedelta(minutes=10)
GIVE_UP_AFTER = timedelta(days=3)
"""How long a delivery is repeated before it becomes a dead letter, and an endpoint fails before it is disabled."""

SECRET_OVERLAP = timedelta(hours=24)
"""How long deliveries are signed with the previous secret too."""


class EndpointState(StrEnum):
    """Whether deliveries are made."""

    ACTIVE = "ACTIVE"
    """Events are delivered."""
    PAUSED = "PAUSED"
    """Deliveries have failed one after the other. From time to time one is tried."""
    DISABLED = "DISABLED"
    """Nothing is tried until a moderator resumes it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint.

    Attributes:
        types: The types of events that it gets; empty for all.
        categories: The categories whose events it gets, besides those of no category; empty for all.
        secrets: The secrets that deliveries are signed with now, the newest first.
        position: All events up to it are delivered, not meant for it, or waiting for another attempt.
        failures: Failed attempts since the last success.
        failing_since: The first of them.
        paused_until: When the next attempt is made; None unless it is paused.
        lost: Events that were deleted before they could be delivered.
    """

    id: UUID
    url: str
    types: tuple[str, ...]
    categories: tuple[str, ...]
    secrets: tuple[str, ...]
    position: int
    created_at: datetime
    created_by: UUID | None = None
    failures: int = 0
    failing_since: datetime | None = None
    paused_until: datetime | None = None
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    last_error: str | None = None
    last_success_at: datetime | None = None
    lost: int = 0

    @property
    def state(self) -> EndpointState:
        """Whether deliveries are made."""
        if self.disabled_at is not None:
            return EndpointState.DISABLED
        return EndpointState.ACTIVE if self.paused_until is None else EndpointState.PAUSED

    @property
    def is_probed(self) -> bool:
        """Whether single deliveries are tried, to find out whether it works again."""
        return self.failures >= FAILURES_BEFORE_PAUSE

    def accepts(self, event: RecordedEvent) -> bool:
        """Return whether an event passes the filter."""
        if self.types and event.type not in self.types:
            return False
        return not self.categories or event.category is None or event.category in self.categories


class EndpointReport(NamedTuple):
    """An endpoint and what is still to be delivered to it.

    Attributes:
        undelivered: Events behind its position, of all types, and deliveries that wait for another attempt.
        oldest: When the oldest event behind its position was recorded; None if there is none.
        dead_letters: Deliveries that were given up.
    """

    endpoint: Endpoint
    undelivered: int
    oldest: datetime | None
    dead_letters: int


def retry_delay(attempts: int, random: Random) -> timedelta:
    """Return how long after failed attempt number `attempts` the next one is made: 5 s, 20 s, 80 s … 4 h, ± 25 %."""
    return _jittered(min(FIRST_RETRY_DELAY * 4 ** min(attempts - 1, 10), MAX_RETRY_DELAY), random)


def pause_after(failures: int, random: Random) -> timedelta:
    """Return for how long an endpoint is paused after so many failures in a row: 5 s, 10 s, 20 s … 10 min, ± 25 %."""
    return _jittered(min(FIRST_RETRY_DELAY * 2 ** min(failures - FAILURES_BEFORE_PAUSE, 10), MAX_PAUSE), random)


def _jittered(delay: timedelta, random: Random) -> timedelta:
    return delay * random.uniform(0.75, 1.25)


def clean_url(url: str, *, encrypted_only: bool) -> str:
    """Return the URL of an endpoint. Raises BadUserInput if it is not one."""
    try:
        parts = urlsplit(url)
        is_complete = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_complete = False
    if not is_complete or len(url) > MAX_URL_LENGTH or not url.isascii() or not url.isprintable() or " " in url:
        raise BadUserInput(f"`url` must be a URL such as https://host/path, with at most {MAX_URL_LENGTH} characters.")
    if parts.scheme != "https" and (encrypted_only or parts.scheme != "http"):
        raise BadUserInput("`url` must begin with https://.")
    if parts.username or parts.password or parts.fragment:
        raise BadUserInput("`url` must have neither a user nor a fragment: deliveries are signed instead.")
    return url


def clean_categories(categories: Sequence[str]) -> tuple[str, ...]:
    """Return the categories of a filter, which need not exist yet. Raises BadUserInput if there are too many."""
    if len(categories) > MAX_CATEGORIES or not all(_CATEGORY_ID.fullmatch(one) for one in categories):
        raise BadUserInput(f"`categories` must be at most {MAX_CATEGORIES} ids of categories.")
    return tuple(dict.fromkeys(categories))


def clean_types(types: Sequence[str], recorded: frozenset[EventType]) -> tuple[str, ...]:
    """Return the types of a filter. Raises BadUserInput for one that does not exist or is not recorded."""
    for one in types:
        if one not in set(EventType):
            raise BadUserInput(f"There is no type {one!r}: it must be one of {', '.join(EventType)}.")
        if one not in recorded:
            raise BadUserInput(f"Events of the type {one} are not recorded: the setting EVENT_TYPES must name it.")
    return tuple(dict.fromkeys(types))
