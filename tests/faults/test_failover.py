"""PostgreSQL that fails over, becomes read-only, or refuses connections: nothing acknowledged is lost, and the service
goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from sqlalchemy import make_url
from structlog.testing import capture_logs

from app.domain.errors import ServiceUnavailable
from tests.support.background_jobs import ask, database_at
from tests.support.processes.postgres_standby import Pair, execute, primary_and_standby
from tests.support.service import ISSUE, SUBMIT, Player, Service, serving, settings_for
from tests.support.stores import BreakableServer
from tests.support.wait_until import TIMEOUT, until, until_answer

TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'ordinary'
"""


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    async with primary_and_standby() as pair:
        yield pair


class Traffic:
    """Players who play until they are told to stop. What was acknowledged, and how requests failed, is kept."""

    def __init__(self, service: Service, players: int = 4) -> None:
        self.acknowledged: set[str] = set()
        self.codes: set[str] = set()
        self._players = [service.player() for _ in range(players)]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Traffic:
        self._tasks = [asyncio.create_task(self._play(player)) for player in self._players]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        assert [result for result in results if not isinstance(result, asyncio.CancelledError)] == []

    async def more(self, number: int, *, timeout: float = 60) -> None:
        """Wait until so many more submissions are acknowledged."""
        wanted = len(self.acknowledged) + number
        await until(lambda: len(self.acknowledged) >= wanted, timeout=timeout)

    async def _play(self, player: Player) -> None:
        while True:
            issued = await self._ask(player, ISSUE, {"actionType": "COMPLETE_LEVEL"})
            if issued is None:
                continue
            token = issued["issueActionToken"]["actionToken"]
            while True:  # A submission that failed is repeated, as its outcome is unknown.
                data = await self._ask(player, SUBMIT, {"actionToken": token})
                if data is None:
                    continue
                outcome = data["submitScore"]
                if outcome["__typename"] in ("ScoreAccepted", "ActionTokenUsed"):
                    self.acknowledged.add(outcome.get("transactionId") or outcome["receipt"]["transactionId"])
                break

    async def _ask(self, player: Player, document: str, given: dict[str, Any]) -> dict[str, Any] | None:
        try:
            body = (await player.post(document, input=given)).json()
        except httpx2.TransportError:
            return None
        if "errors" in body:
            self.codes.update(error["extensions"]["code"] for error in body["errors"])
            await asyncio.sleep(0.05)
            return None
        data: dict[str, Any] = body["data"]
        return data


async def transactions(url: str) -> set[str]:
    """The ids of all transactions in the ledger."""
    found = await execute(url, "SELECT array_agg(id::text) FROM score_transactions")
    assert isinstance(found, list)
    return set(found)


@pytest.mark.timeout(300)
async def test_nothing_acknowledged_is_lost_when_a_synchronous_standby_takes_over(pair: Pair, redis_url: str):
    await pair.make_synchronous()
    async with serving(settings_for(pair.url, redis_url, db_timeout=2.0)) as service, Traffic(service) as traffic:
        await traffic.more(20)
        pair.primary.kill()
        await traffic.more(0)
        await pair.standby.promote()
        await traffic.more(20)
        await until(lambda: service.app.jobs.is_leader, timeout=60)
        results = await service.app.verify.run(lambda *_: None)
        assert [one for one in results if one.violations and one.name != "boards"] == []
    assert traffic.codes <= {"SERVICE_UNAVAILABLE"}
    assert traffic.acknowledged <= await transactions(pair.standby.url)


@pytest.mark.timeout(300)
async def test_the_service_survives_a_standby_that_lacks_the_last_transactions(pair: Pair, redis_url: str):
    """Which points Redis shows after that is for the board index to notice; the ledger is what the standby has."""
    async with serving(settings_for(pair.url, redis_url, db_timeout=2.0)) as service, Traffic(service) as traffic:
        await traffic.more(10)
        await pair.wait_until_streaming()
        pair.standby.freeze()
        await traffic.more(20)
        pair.primary.kill()
        pair.standby.thaw()
        await pair.standby.promote()
        await traffic.more(20)
        results = await service.app.verify.run(lambda *_: None)
        assert [one for one in results if one.violations and one.name != "boards"] == []
    assert traffic.codes <= {"SERVICE_UNAVAILABLE"}


async def test_a_read_only_primary_refuses_writes_and_is_used_again_by_itself(
    postgres_server: BreakableServer, redis_url: str
):
    url = postgres_server.url
    async with serving(settings_for(url, redis_url)) as service:
        player = service.player()
        await player.play()
        with capture_logs() as logs:
            await set_read_only(url, True)
            try:
                for _ in range(10):
                    failure = await player.fails(ISSUE, input={"actionType": "COMPLETE_LEVEL"})
                    assert failure["code"] == "SERVICE_UNAVAILABLE"
            finally:
                await set_read_only(url, False)
            await until_answer(lambda: player.post(ISSUE, input={"actionType": "COMPLETE_LEVEL"}), succeeds)
        await player.play()
    assert not [line for line in logs if line.get("log_level") == "error"]


async def test_after_a_switch_over_the_connections_lead_to_the_new_primary(pair: Pair, redis_url: str):
    """The old primary stays up, read-only, as after a planned switch."""
    async with serving(settings_for(pair.url, redis_url, db_timeout=2.0)) as service:
        player = service.player()
        await player.play()
        await pair.wait_until_streaming()
        await set_read_only(pair.primary.url, True)
        await pair.standby.promote()
        await until_answer(lambda: player.post(ISSUE, input={"actionType": "COMPLETE_LEVEL"}), succeeds)
        before = len(await transactions(pair.standby.url))
        await player.play()
        assert len(await transactions(pair.standby.url)) == before + 1


async def test_a_restart_with_five_hundred_requests_opens_no_more_connections_than_the_pool(
    postgres_server: BreakableServer, redis_url: str
):
    settings = settings_for(postgres_server.url, redis_url, db_pool_max=10)
    # The client opens connections as it needs them: five hundred that wait for a busy test process would be too slow.
    limits = httpx2.Limits(max_connections=100)
    async with (
        serving(settings) as service,
        httpx2.AsyncClient(base_url=service.url, timeout=TIMEOUT, limits=limits) as http,
    ):
        players = [replace(service.player(f"player-{number}"), http=http) for number in range(50)]
        await asyncio.gather(*[player.play() for player in players])
        await postgres_server.restart()
        requests = asyncio.gather(
            *[player.post(ISSUE, input={"actionType": "COMPLETE_LEVEL"}) for player in players for _ in range(10)]
        )
        most = 0
        while not requests.done():
            most = max(most, await connections(postgres_server.url))
        answers = [response.json() for response in await requests]
        codes = {error["extensions"]["code"] for body in answers for error in body.get("errors", ())}
        assert codes <= {"SERVICE_UNAVAILABLE"}
        assert most <= settings.db_pool_max
        await until_answer(lambda: players[0].post(ISSUE, input={"actionType": "COMPLETE_LEVEL"}), succeeds)


async def test_a_server_without_free_connections_is_unavailable_and_the_log_says_why(
    postgres_server: BreakableServer, redis_url: str
):
    for statement in (
        "CREATE ROLE ordinary LOGIN PASSWORD 'ordinary'",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO ordinary",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO ordinary",
    ):
        await ask(postgres_server.url, statement)
    url = make_url(postgres_server.url).set(username="ordinary", password="ordinary")
    settings = settings_for(url.render_as_string(hide_password=False), redis_url)
    async with serving(settings) as service:
        player = service.player()
        await player.play()
        with capture_logs() as logs:
            await ask(postgres_server.url, "ALTER ROLE ordinary CONNECTION LIMIT 0")
            await ask(postgres_server.url, TERMINATE)
            for _ in range(5):
                assert (await player.fails(ISSUE, input={"actionType": "COMPLETE_LEVEL"}))["code"] == (
                    "SERVICE_UNAVAILABLE"
                )
        causes = [line["cause"] for line in logs if line["event"] == "circuit_opened"]
        assert any("too many connections for role" in cause for cause in causes)
        await ask(postgres_server.url, "ALTER ROLE ordinary CONNECTION LIMIT -1")
        await until_answer(lambda: player.post(ISSUE, input={"actionType": "COMPLETE_LEVEL"}), succeeds)
    await ask(postgres_server.url, "DROP OWNED BY ordinary")
    await ask(postgres_server.url, "DROP ROLE ordinary")


async def test_whatever_keeps_a_connection_from_being_opened_makes_postgresql_unavailable(
    postgres_server: BreakableServer,
):
    name = make_url(postgres_server.url).database
    operator = make_url(postgres_server.url).set(database="postgres").render_as_string(hide_password=False)
    await ask(operator, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    try:
        async with database_at(postgres_server.url) as database:
            for connecting in (database.begin, database.connect, database.driver, database.snapshot):
                with pytest.raises(ServiceUnavailable):
                    async with connecting():
                        pass
    finally:
        await ask(operator, f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')


def succeeds(response: httpx2.Response) -> bool:
    """Whether an operation had no errors."""
    return "errors" not in response.json()


async def set_read_only(url: str, value: bool) -> None:
    """Let PostgreSQL refuse or accept writes, in sessions that are open as well."""
    await ask(url, f"ALTER SYSTEM SET default_transaction_read_only = {'on' if value else 'off'}")
    await ask(url, "SELECT pg_reload_conf()")
    wanted = "on" if value else "off"
    await until_answer(lambda: ask(url, "SHOW default_transaction_read_only"), lambda found: found == wanted)


async def connections(url: str) -> int:
    """How many connections the service has."""
    found = await ask(
        url,
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'leaderboard'",
    )
    assert isinstance(found, int)
    return found
