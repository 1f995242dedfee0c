"""An event, and its envelope as receivers get it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

# With the encoder made once: `json.dumps` makes one for every call that asks for something unusual.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

Data = Mapping[str, Any]
"""The content of an event, as the JSON Schema of its type in `docs/events` describes it."""


class EventType(StrEnum):
    """The types of events. Each has a JSON Schema in `docs/events`, which only ever gets further members."""

    SCORE_COMMITTED = "score.committed"
    MILESTONE_REACHED = "milestone.reached"
    FIRST_PLACE = "leaderboard.first_place"
    OVERTAKEN = "leaderboard.overtaken"
    WINDOW_CLOSED = "window.closed"
    COMPLETION_FLAGGED = "completion.flagged"
    COMPLETION_HELD = "completion.held"
    COMPLETION_RELEASED = "completion.released"
    COMPLETION_REJECTED = "completion.rejected"
    USER_HIDDEN = "user.hidden"
    USER_UNHIDDEN = "user.unhidden"
    USER_DELETED = "user.deleted"
    CATALOGUE_CHANGED = "catalogue.changed"
    LEDGER_ANCHORED = "ledger.anchored"


FREQUENT_TYPES = frozenset({EventType.SCORE_COMMITTED, EventType.OVERTAKEN})
"""The types that are recorded only if the settings name them: there may be many times as many as of the others."""

SCHEMA_VERSION = 1
"""The version of the schemas of all types. It changes when a receiver of the version before could fail."""


@dataclass(frozen=True, slots=True)
class Event:
    """A fact.

    Attributes:
        type: What has happened.
        subject: Whom or what it is about, such as `users/<id>`. Events of one subject are delivered in order.
        category: The id of the category; None if it concerns none.
        time: When it happened.
        data: Its content.
    """

    type: EventType
    subject: str
    category: str | None
    time: datetime
    data: Data


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event at its position in the order of all events.

    Attributes:
        position: From 1, without gaps.
        recorded_at: When it got its position.
        id: Identifies the event for ever.
        type: The name of the type; also one that this version does not know.
        data: The content as JSON.
    """

    position: int
    recorded_at: datetime
    id: UUID
    type: str
    subject: str
    category: str | None
    time: datetime
    data: str

    def envelope(self, source: str) -> str:
        """Return the event as JSON of CloudEvents 1.0: the same characters whenever it is sent.

        Args:
            source: The attribute `source`, which names this installation.
        """
        head = {
            "specversion": "1.0",
            "id": str(self.id),
            "source": source,
            "type": self.type,
            "subject": self.subject,
            "time": format_time(self.time),
            "datacontenttype": "application/json",
            "dataschema": schema_id(self.type),
            "sequence": str(self.position),
            "partitionkey": self.subject,
        }
        return f'{to_json(head)[:-1]},"data":{self.data}}}'


def schema_id(event_type: str) -> str:
    """Return the URI of the JSON Schema of a type, which is its `$id` in `docs/events`."""
    return f"urn:leaderboard:events:{event_type}:{SCHEMA_VERSION}"


def format_time(moment: datetime) -> str:
    """Return a moment as RFC 3339, in UTC with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_json(content: Data) -> str:
    """Return compact JSON."""
    return _encode(dict(content))
