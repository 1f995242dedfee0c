"""Two instances of the service on a cluster of real Redis servers, while nodes end, come back and slots move.

Whatever happens to the cluster, every acknowledged submission is on the boards of both instances in the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from app.cli.process.stores import ensure_supported_redis
from app.config import Settings
from app.services.board_index.shards.layout import shard_names, shard_of
from tests.e2e.boards.test_subscriptions import Watcher, shown, watching
from tests.support.boards.shards import SHARDS, split
from tests.support.processes.redis_cluster import RedisClusterServers, redis_cluster
from tests.support.service import BOARD, Player, Service, serving, user_id
from tests.support.wait_until import TIMEOUT, until, until_answer

KEY = "{global}"
"""The hash tag of all keys of the boards of the category that is played."""


@pytest.fixture
async def cluster() -> AsyncIterator[RedisClusterServers]:
    async with redis_cluster() as servers:
        yield servers


@pytest.fixture
async def services(settings: Settings, cluster: RedisClusterServers) -> AsyncIterator[tuple[Service, Service]]:
    url = "redis://" + ",".join(node.address for node in cluster.nodes[:3])
    clustered = settings.model_copy(
        update={"redis_url": url, "redis_cluster_enabled": True, "rate_limit_enabled": True}
        | dict.fromkeys(("rate_limit_submit_per_user", "rate_limit_issue_per_user"), 100_000)
        | dict.fromkeys(("rate_limit_submit_per_address", "rate_limit_issue_per_address"), 100_000)
        | {"rate_limit_anonymous_per_address": 100_000}
    )
    async with serving(clustered) as one, serving(clustered) as two:
        yield one, two


@dataclass
class Load:
    """Players who submit without pause, and their scores according to the receipts."""

    scores: dict[str, int] = field(default_factory=dict)
    accepted: int = 0
    is_ending: bool = False

    async def play(self, player: Player, name: str) -> None:
        """Play until the end, which no submission is cut off by."""
        while not self.is_ending:
            try:
                token = await player.issue()
                outcome = await player.submit(token)
            except AssertionError:  # Refused for the moment.
                await asyncio.sleep(0.05)
                continue
            assert outcome["__typename"] == "ScoreAccepted", outcome
            self.scores[name] = outcome["newScore"]
            self.accepted += 1

    async def until_more(self, count: int) -> None:
        """Wait for `count` further acknowledged submissions."""
        goal = self.accepted + count
        await until(lambda: self.accepted >= goal, timeout=2 * TIMEOUT)


@asynccontextmanager
async def playing(services: tuple[Service, Service], players: int = 6) -> AsyncIterator[Load]:
    """Let players submit on both instances during the block."""
    load = Load()
    async with asyncio.TaskGroup() as group:
        names = [f"player-{number}" for number in range(players)]
        for number, name in enumerate(names):
            group.create_task(load.play(services[number % 2].player(name), name))
        await load.until_more(players)
        try:
            yield load
        finally:
            load.is_ending = True


async def converged(services: tuple[Service, Service], load: Load) -> None:
    """Wait until both instances show the acknowledged scores, from Redis and as current."""
    for service in services:
        await until_answer(
            lambda service=service: service.anonymous.ask(BOARD),
            lambda data: _shows(data["leaderboard"], load.scores),
            timeout=2 * TIMEOUT,
            interval=0.1,
        )


async def shown_to(watcher: Watcher, load: Load) -> None:
    """Wait until the newest message shows the acknowledged scores."""
    async with asyncio.timeout(2 * TIMEOUT):
        while dict(shown(await watcher.next(2 * TIMEOUT))) != load.scores:
            pass


def _shows(board: dict[str, Any], scores: dict[str, int]) -> bool:
    shown = {entry["user"]["username"]: entry["score"] for entry in board["entries"]}
    return shown == scores and board["source"] != "POSTGRES" and not board["stale"]


async def test_playing_and_watching_go_on_within_the_slots_of_a_cluster(services: tuple[Service, Service]):
    one, two = services
    first, second = one.player("first"), two.player("second")
    async with watching(two) as watcher:
        await first.play("COMPLETE_LEVEL")
        outcome = await second.play("COMPLETE_MISSION", difficulty="hard")
        assert (outcome["__typename"], outcome["currentRank"]) == ("ScoreAccepted", 1)
        await watcher.until([("second", 100), ("first", 50)])
    me = (await first.ask("{ me { limits { activity limit remaining } } }"))["me"]
    assert {one["activity"]: one["limit"] - one["remaining"] for one in me["limits"]} == {
        "ISSUE": 1,
        "SUBMIT": 1,
        "QUERY": 1,
    }
    await asyncio.to_thread(ensure_supported_redis, one.settings)  # What every command does when it starts.
    for service in services:
        ready = (await service.http.get("/readyz")).json()
        assert ready["checks"] == {"postgres": True, "redis": True, "messages": True, "boards": True}


async def test_no_acknowledged_point_is_missing_after_the_master_of_the_boards_was_killed(
    services: tuple[Service, Service], cluster: RedisClusterServers
):
    async with watching(services[0]) as watcher:
        async with playing(services) as load:
            master = await cluster.master_of(KEY)
            master.kill()
            await load.until_more(10)
            await cluster.until_promoted(KEY, master)
            await load.until_more(10)
            await master.start()
            await load.until_more(10)
        await converged(services, load)
        await shown_to(watcher, load)


async def test_a_split_category_lies_on_all_masters_and_survives_the_loss_of_one(
    services: tuple[Service, Service], cluster: RedisClusterServers
):
    for service in services:
        await split(service.app)
    keys = [f"{{{name}}}" for name in shard_names("global", SHARDS)]
    masters = [await cluster.master_of(key) for key in keys]
    assert len(set(masters)) == SHARDS
    async with watching(services[0]) as watcher:
        async with playing(services, players=9) as load:
            masters[1].kill()
            await load.until_more(10)
            await cluster.until_promoted(keys[1], masters[1])
            await load.until_more(10)
            await masters[1].start()
            await load.until_more(10)
        await converged(services, load)
        await shown_to(watcher, load)
    for service in services:
        await verified(service)


async def verified(service: Service) -> None:
    """Compare every row of every shard with PostgreSQL."""
    for result in await service.app.verify.run(lambda *_: None):
        assert not result.violations, result


async def test_the_boards_move_to_a_new_node_while_they_are_played_on(
    services: tuple[Service, Service], cluster: RedisClusterServers
):
    async with watching(services[1]) as watcher:
        async with playing(services) as load:
            target = await cluster.add_master()
            await cluster.move_slot(KEY, target)
            await load.until_more(20)
        await converged(services, load)
        await shown_to(watcher, load)
    assert await cluster.master_of(KEY) is target


@pytest.mark.parametrize("shards", [1, SHARDS], ids=["unsplit", "split"])
async def test_a_node_that_comes_back_from_an_old_snapshot_is_not_believed(
    services: tuple[Service, Service], cluster: RedisClusterServers, shards: int
):
    one, two = services
    for service in services if shards > 1 else ():
        await split(service.app, shards)
    quiet = one.player("quiet")
    user = user_id(await quiet.play("COMPLETE_LEVEL"))
    key = KEY if shards == 1 else f"{{{shard_names('global', shards)[shard_of(user.bytes, shards)]}}}"
    master = await cluster.master_of(key)
    await master.call("SAVE")
    await quiet.play("COMPLETE_LEVEL")
    await _kill_replicas(cluster)  # Nobody can replace the master.
    master.kill()
    await master.start()
    await cluster.until_whole()

    async def shown_by_both() -> list[tuple[str, int]]:
        boards = [(await service.anonymous.ask(BOARD))["leaderboard"] for service in (one, two)]
        for board in boards:
            assert board["stale"] or [entry["score"] for entry in board["entries"]] == [100], board
        return [board["source"] for board in boards]

    await until_answer(shown_by_both, lambda sources: "POSTGRES" not in sources, timeout=2 * TIMEOUT, interval=0.02)


async def test_a_node_that_comes_back_empty_is_loaded_again(
    services: tuple[Service, Service], cluster: RedisClusterServers
):
    async with playing(services) as load:
        master = await cluster.master_of(KEY)
        await _kill_replicas(cluster)
        master.kill()
        master.snapshot.unlink(missing_ok=True)
        await master.start()
        await cluster.until_whole()
        await load.until_more(10)
    await converged(services, load)


async def _kill_replicas(cluster: RedisClusterServers) -> None:
    for node in cluster.nodes:
        if not await node.is_master():
            node.kill()
