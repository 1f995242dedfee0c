"""Operations that run at a time are capped, whatever they wait for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from app.config import Settings
from tests.support.graphql.socket_client import connected
from tests.support.service import Player, Service, serving, settings_for
from tests.support.wait_until import until

TRANSACTIONS = "query($id: ID!) { transactions(userId: $id) { edges { cursor } } }"
QUICK = "{ categories { id } }"


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    return settings_for(
        database_url,
        redis_url,
        rate_limit_enabled=True,
        max_running_operations_per_user=2,
        request_timeout=30,
        db_timeout=30,
    )


@asynccontextmanager
async def ledger_locked(service: Service) -> AsyncIterator[None]:
    """While the ledger is locked, operations that read it wait."""
    async with service.app.database.begin() as connection:
        await connection.execute(text("LOCK TABLE score_transactions IN ACCESS EXCLUSIVE MODE"))
        yield


async def reads(service: Service, player: Player, user_id: str, number: int) -> list[asyncio.Task[int]]:
    """Start queries that wait, and return when they run."""
    running = service.app.running_operations
    before = running.total

    async def read() -> int:
        return (await player.post(TRANSACTIONS, id=user_id)).status_code

    tasks = [asyncio.create_task(read()) for _ in range(number)]
    await until(lambda: running.total >= before + number)
    return tasks


async def own_id(player: Player) -> str:
    return str((await player.ask("{ me { user { id } } }"))["me"]["user"]["id"])


async def test_one_more_than_the_cap_is_refused_at_once_and_others_are_served(service: Service):
    alice, bob = service.player("alice"), service.player("bob")
    alice_id, bob_id = await own_id(alice), await own_id(bob)
    async with ledger_locked(service):
        tasks = await reads(service, alice, alice_id, 2)
        refused = await alice.post(TRANSACTIONS, id=alice_id)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["errors"][0]["extensions"] == {"code": "RATE_LIMITED", "retryAfter": 1}
        async with connected(service.socket_url, f"Bearer {alice.token}") as socket:
            await socket.subscribe(TRANSACTIONS, variables={"id": alice_id})
            assert (await socket.hear_error())["extensions"]["code"] == "RATE_LIMITED"
        tasks += await reads(service, bob, bob_id, 2)
    assert await asyncio.gather(*tasks) == [200] * 4
    assert service.app.running_operations.total == 0
    assert (await alice.post(TRANSACTIONS, id=alice_id)).status_code == 200


async def test_an_operation_whose_socket_has_closed_frees_its_place(service: Service):
    alice = service.player("alice")
    alice_id = await own_id(alice)
    running = service.app.running_operations
    async with ledger_locked(service):
        async with connected(service.socket_url, f"Bearer {alice.token}") as socket:
            for number in range(2):
                await socket.subscribe(TRANSACTIONS, id=str(number), variables={"id": alice_id})
            await until(lambda: running.total == 2)
        await until(lambda: running.total == 0)
        tasks = await reads(service, alice, alice_id, 2)
    assert await asyncio.gather(*tasks) == [200] * 2


async def test_an_operation_that_takes_too_long_frees_its_place(database_url: str, redis_url: str):
    hasty = settings_for(
        database_url,
        redis_url,
        rate_limit_enabled=True,
        max_running_operations_per_user=1,
        request_timeout=0.2,
    )
    async with serving(hasty) as service:
        alice = service.player("alice")
        alice_id = await own_id(alice)
        async with ledger_locked(service):
            assert (await alice.post(TRANSACTIONS, id=alice_id)).status_code == 503
            await until(lambda: service.app.running_operations.total == 0)
            assert (await alice.post(TRANSACTIONS, id=alice_id)).status_code == 503


async def test_cached_replies_need_no_place(service: Service):
    alice = service.player("alice")
    alice_id = await own_id(alice)
    await alice.post(QUICK)
    async with ledger_locked(service):
        tasks = await reads(service, alice, alice_id, 2)
        assert (await alice.post(QUICK)).status_code == 200
    await asyncio.gather(*tasks)
