"""Values that no store can hold, in every argument of the schema: refused, and other callers notice nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.domain.users import Role
from app.graphql import build_schema
from tests.support.hostile.poisonous_values import UNHOLDABLE, UNHOLDABLE_JSON, Slot, slots
from tests.support.service import Player, Service, user_id

AT_ONCE = 48
REFUSALS = {"BAD_USER_INPUT", "BAD_REQUEST", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED", "QUERY_TOO_COMPLEX"}

Request = tuple[str, str, bytes, bool]
"""A title, the root field, the body, and whether it must be refused."""


def requests_of(slot: Slot) -> Iterator[Request]:
    for title, poison in (UNHOLDABLE | UNHOLDABLE_JSON).items():
        yield f"{slot} variable {title}", slot.name, slot.by_variable(poison), True
    for title, poison in UNHOLDABLE.items():
        yield f"{slot} literal {title}", slot.name, slot.by_literal(poison), True
    for title, poison in slot.odd.items():
        yield f"{slot} variable {title}", slot.name, slot.by_variable(poison), False


async def send(sender: Player, body: bytes, accept: str) -> tuple[int, str]:
    headers = {"accept": accept, "authorization": f"Bearer {sender.token}", "content-type": "application/json"}
    async with sender.http.stream("POST", "/graphql", content=body, headers=headers) as reply:
        if reply.headers["content-type"].startswith("text/event-stream"):
            text = ""
            async for part in reply.aiter_text():
                text += part
                # A message, or the second heartbeat: the stream has begun and waits for news.
                if "data:" in text or text.count(":\n\n") > 1:
                    break
            return reply.status_code, text
        return reply.status_code, (await reply.aread()).decode()


async def innocent(player: Player) -> None:
    """Play as usual, in the batches of the others."""
    outcome = await player.play()
    assert outcome["__typename"] == "ScoreAccepted", outcome
    ranked = await player.ask("query R($id: ID!) { userRank(userId: $id) { score } }", id=str(user_id(outcome)))
    assert ranked["userRank"]["score"] == outcome["newScore"]


async def attack(service: Service, requests: list[Request], accept: str) -> list[str]:
    """What went wrong with these requests, all sent at once, with innocent players among them."""
    server, moderator = service.player("server", Role.SERVER), service.player("moderator", Role.MODERATOR)
    innocents = [innocent(service.player()) for _ in range(2)]
    sent = [send(server if field == "recordAction" else moderator, body, accept) for _, field, body, _ in requests]
    replies = (await asyncio.wait_for(asyncio.gather(*innocents, *sent), 120))[len(innocents) :]
    wrong = []
    for (title, _, _, is_refused), (status, text) in zip(requests, replies, strict=True):
        if status >= 500 or "INTERNAL_SERVER_ERROR" in text or "SERVICE_UNAVAILABLE" in text:
            wrong.append(f"{title}: {status} {text[:300]}")
        elif is_refused and not any(f'"code":"{code}"' in text for code in REFUSALS):
            wrong.append(f"{title}: passed with {status} {text[:300]}")
    return wrong


def in_parts(requests: Iterator[Request]) -> Iterator[list[Request]]:
    while part := list(islice(requests, AT_ONCE)):
        yield part


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["query", "mutation", "subscription"])
async def test_no_argument_lets_in_what_cannot_be_held_and_others_are_served_meanwhile(service: Service, kind: str):
    target = user_id(await service.player("target").play())
    known: dict[str, Any] = {
        "userId": str(target),
        "category": "global",
        "actionType": "COMPLETE_LEVEL",
        "actionToken": await service.player("moderator", Role.MODERATOR).issue(),
    }
    found = [slot for slot in slots(build_schema()._schema, known) if slot.kind == kind]
    assert found
    # Users that are deleted first would be of no use to the other requests.
    found.sort(key=lambda slot: slot.name == "deleteUser")
    accept = "text/event-stream" if kind == "subscription" else "application/graphql-response+json"
    wrong = []
    with capture_logs() as logs:
        for part in in_parts(request for slot in found for request in requests_of(slot)):
            wrong += await attack(service, part, accept)
    assert not wrong, "\n".join(wrong)
    assert [entry for entry in logs if entry["event"] == "unexpected_error"] == []
