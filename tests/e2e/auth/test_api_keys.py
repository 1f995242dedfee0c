"""API keys: over every transport, on several instances, until they are revoked or expire."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from app.config import Settings
from app.domain.identity.api_keys import MAX_ACTIVE_KEYS, caller_id
from app.domain.users import Role
from app.runtime import Runtime
from app.services.auth import api_keys
from app.services.auth.api_key_administration import ApiKeyAdministration, NewApiKey
from tests.e2e.http.test_head_cache import hits, real
from tests.e2e.http.test_streams import subscribed
from tests.support.graphql.raw_http import connected
from tests.support.graphql.socket_client import connecting
from tests.support.processes.cli_process import environment, run
from tests.support.service import Player, Service, serving
from tests.support.stores import BreakableServer
from tests.support.wait_until import until_answer

ME = "{ me { role user { username } } }"
TOTAL = "{ leaderboard { totalUsers } }"
WATCH = "subscription { leaderboardUpdates { kind } }"
RECORD = """
mutation($input: RecordActionInput!) {
  recordAction(input: $input) { __typename ... on ScoreAccepted { transactionId newScore } }
}
"""


def administration(service: Service) -> ApiKeyAdministration:
    return ApiKeyAdministration(service.app.database, Runtime())


async def create(service: Service, name: str = "eu-1", role: Role = Role.SERVER, **more: Any) -> NewApiKey:
    return await administration(service).create(name, role, **more)


def holder(service: Service, key: str) -> Player:
    return Player(service.http, key)


def report(idempotency_key: str) -> dict[str, object]:
    return {
        "user": {"subject": "alice"},
        "username": "alice",
        "actionType": "COMPLETE_LEVEL",
        "idempotencyKey": idempotency_key,
    }


async def actor_of(service: Service, transaction: str) -> tuple[UUID, str]:
    async with service.app.database.connect() as connection:
        statement = text("SELECT actor_id, actor_role FROM score_transactions WHERE id = :id")
        (row,) = (await connection.execute(statement, {"id": UUID(transaction)})).all()
    return row.actor_id, row.actor_role


async def test_a_new_key_works_at_once_with_its_name_and_role(service: Service):
    server = holder(service, (await create(service)).key)
    assert (await server.ask(ME))["me"] == {"role": "SERVER", "user": {"username": "eu-1"}}
    moderator = holder(service, (await create(service, "tools", Role.MODERATOR)).key)
    assert (await moderator.ask("{ flags { __typename } }")) is not None
    assert (await moderator.fails(RECORD, input=report("1")))["code"] == "FORBIDDEN"


async def test_the_ledger_names_the_key_and_its_successor_repeats_its_requests(service: Service):
    first, second = [holder(service, (await create(service)).key) for _ in range(2)]
    recorded = (await first.ask(RECORD, input=report("1")))["recordAction"]
    assert await actor_of(service, recorded["transactionId"]) == (caller_id("eu-1"), "server")
    assert (await second.ask(RECORD, input=report("1")))["recordAction"] == recorded
    other = holder(service, (await create(service, "eu-2")).key)
    assert (await other.ask(RECORD, input=report("1")))["recordAction"]["newScore"] == 100


async def test_nobody_with_an_access_token_is_the_user_of_a_key(service: Service):
    await create(service)
    assert (await service.player("eu-1").ask("{ me { user { id } } }"))["me"]["user"]["id"] != str(caller_id("eu-1"))


async def test_a_key_is_accepted_in_connection_init_and_in_streams(service: Service):
    authorization = f"Bearer {(await create(service)).key}"
    async with connecting(service.socket_url) as client:
        await client.init({"authorization": authorization})
        await client.subscribe(ME)
        assert (await client.hear_next())["data"]["me"]["role"] == "SERVER"
    async with subscribed(f"{service.url}/graphql", WATCH, authorization=authorization) as reader:
        event = await reader.event()
        assert event is not None
        assert "errors" not in event[1]


async def test_a_revoked_key_ends_on_every_instance_with_all_that_it_opened(service: Service, settings: Settings):
    created, kept = await create(service), await create(service, "eu-2")
    async with serving(settings) as second:
        for instance in (service, second):
            await holder(instance, created.key).ask(ME)
        async with (
            connecting(service.socket_url) as here,
            connecting(second.socket_url) as there,
            connecting(second.socket_url) as other,
            subscribed(f"{second.url}/graphql", WATCH, authorization=f"Bearer {created.key}") as stream,
            connected(service.url) as connection,
        ):
            await here.init({"authorization": f"Bearer {created.key}"})
            await there.init({"authorization": f"Bearer {created.key}"})
            await other.init({"authorization": f"Bearer {kept.key}"})
            await stream.event()
            request = real(service, TOTAL, created.key)
            for _ in range(2):
                assert "errors" not in json.loads((await connection.asks(request))[1])
            before = await hits(service)
            await administration(service).revoke("eu-1")
            assert (await here.close_code())[0] == (await there.close_code())[0] == 4403
            event = await stream.event()
            assert event is not None
            assert event[1]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
            assert await other.is_alive()
            for instance in (service, second):
                assert await holder(instance, created.key).fails(ME) == {"code": "UNAUTHENTICATED"}
                await holder(instance, kept.key).ask(ME)
            refused = json.loads((await connection.asks(request))[1])
            assert refused["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
            assert await hits(service) == before


async def test_a_key_works_and_ends_without_redis(settings: Settings, redis_server: BreakableServer):
    async with serving(settings.model_copy(update={"redis_url": redis_server.url})) as service:
        redis_server.kill()
        created = await create(service)
        await holder(service, created.key).ask(ME)
        async with connecting(service.socket_url) as client:
            await client.init({"authorization": f"Bearer {created.key}"})
            await administration(service).revoke(str(created.record.id))
            assert (await client.close_code())[0] == 4403
        assert await holder(service, created.key).fails(ME) == {"code": "UNAUTHENTICATED"}


async def test_an_expired_key_is_refused_as_expired(service: Service):
    created = await create(service, lifetime=timedelta(days=1))
    await holder(service, created.key).ask(ME)
    ended = await create(service, lifetime=timedelta(seconds=-5))
    assert await holder(service, ended.key).fails(ME) == {"code": "UNAUTHENTICATED", "reason": "TOKEN_EXPIRED"}


@pytest.mark.parametrize("key", ["lbk_", "lbk_" + "A" * 43, "lbk_" + "x" * 3000, "lbk_é", "LBK_" + "A" * 43])
async def test_an_unknown_key_is_answered_like_a_forged_token(service: Service, key: str):
    headers = {"authorization": f"Bearer {key}".encode(), "accept": "application/graphql-response+json"}
    reply = await service.http.post("/graphql", json={"query": ME}, headers=headers)
    assert reply.status_code == 401
    assert reply.json()["errors"][0] == {
        "message": "A valid access token is required.",
        "extensions": {"code": "UNAUTHENTICATED"},
    }


async def test_unknown_keys_are_charged_like_forged_tokens_and_cost_few_reads(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    limited = settings.model_copy(update={"rate_limit_enabled": True, "rate_limit_refused_per_address": 20})
    async with serving(limited) as service:
        guesses = [holder(service, f"lbk_{number}") for number in range(23)]
        statuses = [(await guess.post(ME)).status_code for guess in guesses[:1]]
        statuses += [reply.status_code for reply in await asyncio.gather(*(guess.post(ME) for guess in guesses[1:]))]
        assert statuses.count(401) == 20
        assert statuses.count(429) == 3
        assert (await holder(service, (await create(service)).key).post(ME)).status_code == 200


async def test_the_last_use_is_noted_once_for_many_requests(service: Service, monkeypatch: pytest.MonkeyPatch):
    created = await create(service)

    async def last_used() -> object:
        (record,) = await administration(service).records()
        return record.last_used_at

    assert await last_used() is None
    for _ in range(20):
        await holder(service, created.key).ask(ME)
    noted = await until_answer(last_used, lambda used_at: used_at is not None)
    await holder(service, created.key).ask(ME)
    await service.app.api_keys.refresh()
    assert await last_used() == noted
    monkeypatch.setattr(api_keys, "NOTE_INTERVAL", 0.0)
    await until_answer(last_used, lambda used_at: used_at != noted)


async def test_keys_are_bounded_and_their_hashes_alone_are_stored(service: Service):
    created = await create(service)
    async with service.app.database.begin() as connection:
        stored = (await connection.execute(text("SELECT k::text FROM api_keys k"))).scalar_one()
        assert created.key not in stored
        assert created.key[:8] in stored
        await connection.execute(
            text(
                "INSERT INTO api_keys (id, name, role, hash, hint, created_at) SELECT gen_random_uuid(), 'k', 'server',"
                " sha256(n::text::bytea), 'lbk_', now() FROM generate_series(2, :keys) n"
            ),
            {"keys": MAX_ACTIVE_KEYS},
        )
    with pytest.raises(Exception, match="at most 1000 keys"):
        await create(service)


async def test_the_commands_create_list_and_revoke_keys(service: Service, settings: Settings):
    env = environment(settings)
    created = await run("keys", "create", "--name", "eu-1", "--role", "server", "--expires", "90d", env=env)
    assert created.code == 0, created.err
    key = created.out.strip()
    assert key.startswith("lbk_")
    assert key not in created.err
    assert (await holder(service, key).ask(ME))["me"]["role"] == "SERVER"
    listed = await run("keys", "list", env=environment(settings, COLUMNS="200"))
    assert all(word in listed.out for word in ("eu-1", "server", "active", key[:8]))
    assert key not in listed.out
    revoked = await run("keys", "revoke", "eu-1", env=env)
    assert revoked.code == 0, revoked.err
    await until_answer(lambda: holder(service, key).post(ME), lambda reply: reply.status_code == 401)
    again = await run("keys", "revoke", "eu-1", env=env)
    assert (again.code, "no active key" in again.err) == (1, True)
    wrong = await run("keys", "create", "--name", "no spaces", env=env)
    assert (wrong.code, "name of a key" in wrong.err) == (1, True)
    player = await run("keys", "create", "--name", "p", "--role", "player", env=env)
    assert (player.code, "must be server or moderator" in player.err) == (1, True)
