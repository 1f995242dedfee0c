"""Events as receivers get them, read from the database and checked against their schemas."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from app.domain.events.event import RecordedEvent
from app.models.statements.events.recorded_events import read_events
from app.wiring import App

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "events"


@cache
def validator(event_type: str) -> Draft202012Validator:
    """Return the validator of the data of a type."""
    schema = json.loads((SCHEMAS / f"{event_type}.json").read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


def checked(envelope: str) -> dict[str, Any]:
    """Return the content of an envelope, which must be CloudEvents 1.0 with data of its schema."""
    event: dict[str, Any] = json.loads(envelope)
    assert event["specversion"] == "1.0"
    assert event["datacontenttype"] == "application/json"
    assert datetime.fromisoformat(event["time"]).tzinfo is not None
    check = validator(event["type"])
    assert event["dataschema"] == check.schema["$id"]
    check.validate(event["data"])
    assert event["data"].keys() == check.schema["properties"].keys(), "the schema describes every member"
    return event


async def recorded(app: App, after: int = 0) -> list[RecordedEvent]:
    """Give all committed events their positions, and return those behind a position."""
    while await app.outbox.sequence():
        pass
    async with app.database.connect() as connection:
        return await read_events(connection, after, 100_000)


async def envelopes(app: App, *types: str) -> list[dict[str, Any]]:
    """Return the checked envelopes of all events, or of those of some types."""
    events = [checked(event.envelope(app.settings.event_source)) for event in await recorded(app)]
    return [event for event in events if not types or event["type"] in types]
