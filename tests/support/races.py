"""A race track: a category with the best times, and the back end that reports them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.support.service import Player

RACES = "races"
LAP = "LAP"

OUTCOME = """
    __typename
    ... on ScoreAccepted { transactionId previousScore newScore scoreDelta user { id username } }
    ... on RetryableError { retryAfter }
    ... on UserError { code message }
"""
RECORD = f"mutation Record($input: RecordActionInput!) {{ outcome: recordAction(input: $input) {{ {OUTCOME} }} }}"
RECORD_MANY = f"""
mutation RecordMany($inputs: [RecordActionInput!]!) {{ outcomes: recordActions(inputs: $inputs) {{ {OUTCOME} }} }}
"""
BOARD = """
query Times($category: String!, $period: Period! = ALL_TIME) {
  leaderboard(category: $category, period: $period) { entries { rank score metadata user { id username } } }
}
"""
SAVE_CATEGORY = "mutation C($input: SaveCategoryInput!) { saveCategory(input: $input) { id entryMetadata } }"
SAVE_ACTION = "mutation A($input: SaveActionInput!) { saveAction(input: $input) { id kind minValue maxValue } }"


async def open_race_track(
    moderator: Player, *, category: str = RACES, action: str = LAP, operator: str = "BEST"
) -> None:
    """Create a category with the lowest time first, whose entries have metadata, and an action with a stated time."""
    rules = {"sortOrder": "LOW_FIRST", "operator": operator, "entryMetadata": True}
    await moderator.ask(SAVE_CATEGORY, input={"id": category, "name": category, "reason": "a new track"} | rules)
    worth = {"kind": "STATED", "minValue": 30_000, "maxValue": 600_000}
    content = {"id": action, "name": "Lap", "category": category, "reason": "a new track"}
    await moderator.ask(SAVE_ACTION, input=content | worth)


def report(name: str, value: int, *, action: str = LAP, key: str | None = None, metadata: Any = None) -> dict[str, Any]:
    """Return the input that reports a time, in milliseconds, of the player with this subject and name."""
    return {
        "user": {"subject": name},
        "username": name,
        "actionType": action,
        "value": value,
        "metadata": metadata,
        "idempotencyKey": key or uuid4().hex,
    }
