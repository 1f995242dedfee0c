"""A cluster of real Redis servers for one test, which may kill nodes, add nodes and move slots."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError

from app.embedded.os_user import OsUser
from app.embedded.paths import redis_program
from app.embedded.process import free_port, spawn
from tests.support.stores import private_folder
from tests.support.wait_until import until_answer

SLOTS = 16_384
NODE_TIMEOUT_MS = 1_000
"""After this time without an answer a master counts as failed, and its replica is promoted."""


class ClusterNode:
    """One server of a cluster. It keeps its folder, and so its identity in the cluster, when it is killed."""

    def __init__(self, program: Path, folder: Path, os_user: OsUser) -> None:
        self.port = free_port()
        self.folder = folder
        self._bus_port = free_port()
        self._program = program
        self._os_user = os_user
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def snapshot(self) -> Path:
        """The file that `save` writes and that a start reads."""
        return self.folder / "dump.rdb"

    async def start(self) -> None:
        """Start the server, and wait until it answers."""
        configuration = f"""
            port {self.port}
            cluster-port {self._bus_port}
            bind 127.0.0.1
            dir {self.folder}
            save ""
            cluster-enabled yes
            cluster-node-timeout {NODE_TIMEOUT_MS}
            repl-diskless-sync-delay 0
        """
        self._process = spawn([self._program, "-"], self._os_user, self.folder / "log", text=configuration)
        await until_answer(self._is_answering, bool)

    def kill(self) -> None:
        """Kill the server, as a crash of its machine does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait(10)

    async def call(self, *command: Any) -> Any:
        """Execute one command on this node."""
        async with Redis(port=self.port, socket_timeout=10, decode_responses=True) as client:
            return await client.execute_command(*command)

    async def id(self) -> str:
        """Return the name of the node within the cluster."""
        return str(await self.call("CLUSTER", "MYID"))

    async def is_master(self) -> bool:
        """Whether the node is a master."""
        return (await self.call("ROLE"))[0] == "master"

    async def _is_answering(self) -> bool:
        with suppress(RedisError, OSError):
            return bool(await self.call("PING"))
        return False


class RedisClusterServers:
    """The nodes of a cluster."""

    def __init__(self, new_node: Callable[[], ClusterNode]) -> None:
        self.nodes: list[ClusterNode] = []
        self._new_node = new_node

    @property
    def url(self) -> str:
        """The URL of the first node, from which clients discover the others."""
        return f"redis://{self.nodes[0].address}"

    async def create(self, masters: int, replicas: int) -> None:
        """Start all nodes and make them a cluster: every master has the same share of slots, then come the replicas."""
        self.nodes = [self._new_node() for _ in range(masters + replicas)]
        await asyncio.gather(*(node.start() for node in self.nodes))
        for number, node in enumerate(self.nodes[:masters]):
            first, end = SLOTS * number // masters, SLOTS * (number + 1) // masters
            await node.call("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            await node.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            await self._meet(node)
        await self._until_known(self.nodes)
        for number, node in enumerate(self.nodes[masters:]):
            await node.call("CLUSTER", "REPLICATE", await self.nodes[number % masters].id())
        await self.until_whole()
        for node in self.nodes[masters:]:
            await until_answer(lambda node=node: node.call("ROLE"), lambda role: role[3] == "connected")

    async def add_master(self) -> ClusterNode:
        """Add a node without slots."""
        node = self._new_node()
        await node.start()
        self.nodes.append(node)
        await self._meet(node)
        await self._until_known(self.nodes)
        await self.until_whole()
        return node

    async def until_whole(self) -> None:
        """Wait until every running node says that all slots have a master."""
        for node in self._running():
            await until_answer(lambda node=node: node.call("CLUSTER", "INFO"), _is_whole)

    async def master_of(self, key: str) -> ClusterNode:
        """Return the master that has the slot of `key`, according to the nodes that are running."""
        slot = key_slot(key.encode())
        for node in self._running():
            with suppress(RedisError, OSError):
                for first, last, master, *_ in await node.call("CLUSTER", "SLOTS"):
                    if first <= slot <= last:
                        return next(each for each in self.nodes if each.port == master[1])
        raise LookupError(f"no node has the slot of {key}")

    async def until_promoted(self, key: str, dead: ClusterNode) -> ClusterNode:
        """Wait until another node than `dead` is the master of the slot of `key`, and return it."""
        master = await until_answer(lambda: self.master_of(key), lambda node: node is not dead)
        await until_answer(master.is_master, bool)
        await self.until_whole()
        return master

    async def move_slot(self, key: str, target: ClusterNode) -> None:
        """Move the slot of `key` with its keys to another master, as resharding does."""
        slot, source = key_slot(key.encode()), await self.master_of(key)
        await target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", await source.id())
        await source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", await target.id())
        while keys := await source.call("CLUSTER", "GETKEYSINSLOT", slot, 100):
            await source.call("MIGRATE", "127.0.0.1", target.port, "", 0, 10_000, "KEYS", *keys)
        for node in (target, source):
            await node.call("CLUSTER", "SETSLOT", slot, "NODE", await target.id())
        for node in self._running():
            await until_answer(lambda node=node: _owner(node, slot), lambda port: port == target.port)

    def stop(self) -> None:
        """Kill all nodes."""
        for node in self.nodes:
            node.kill()

    async def _meet(self, node: ClusterNode) -> None:
        await self.nodes[0].call("CLUSTER", "MEET", "127.0.0.1", node.port, node._bus_port)

    async def _until_known(self, nodes: Sequence[ClusterNode]) -> None:
        for node in nodes:
            await until_answer(
                lambda node=node: node.call("CLUSTER", "NODES"),
                lambda known: sum("handshake" not in line for line in str(known).splitlines()) == len(nodes),
            )

    def _running(self) -> list[ClusterNode]:
        return [node for node in self.nodes if node._process is not None and node._process.poll() is None]


@asynccontextmanager
async def redis_cluster(masters: int = 3, replicas: int = 3) -> AsyncIterator[RedisClusterServers]:
    """Run a cluster during the block."""
    with private_folder() as folder:
        os_user = OsUser.for_cluster(folder / "postgres")
        program = redis_program(folder, os_user)
        count = 0

        def new_node() -> ClusterNode:
            nonlocal count
            count += 1
            own = folder / f"node-{count}"
            own.mkdir()
            os_user.take_ownership(own)
            return ClusterNode(program, own, os_user)

        servers = RedisClusterServers(new_node)
        try:
            await servers.create(masters, replicas)
            yield servers
        finally:
            servers.stop()


def _is_whole(info: Any) -> bool:
    lines = str(info).split()
    return "cluster_state:ok" in lines and f"cluster_slots_ok:{SLOTS}" in lines


async def _owner(node: ClusterNode, slot: int) -> int | None:
    for first, last, master, *_ in await node.call("CLUSTER", "SLOTS"):
        if first <= slot <= last:
            return int(master[1])
    return None
