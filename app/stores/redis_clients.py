"""Clients of Redis: one server, a master that Sentinel names, or a cluster; their pools, timeouts and retries."""

from __future__ import annotations

from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, SlotNotCoveredError

MAX_CONNECTIONS = 32
"""Connections to one server. Callers wait for a free one, at most for the timeout."""

DEFAULT_PORT = 6_379
"""The port of a server if the URL names none."""

DEFAULT_SENTINEL_PORT = 26_379
"""The port of Sentinel if the URL names none."""


class SentinelUrl(NamedTuple):
    """The parts of `redis+sentinel://user:password@host:port,host:port/service/database?sentinel_password=...`.

    Attributes:
        sentinels: Host and port of each Sentinel.
        service: The name under which the Sentinels know the master.
        options: Arguments of a connection to the master: user, password, database, and those of the query.
        sentinel_options: Arguments of a connection to a Sentinel: `sentinel_username` and `sentinel_password`, and with
            `sentinel_ssl=true` TLS with the same certificates as for the master.
    """

    sentinels: list[tuple[str, int]]
    service: str
    options: dict[str, Any]
    sentinel_options: dict[str, Any]


def parse_sentinel_url(url: str) -> SentinelUrl:
    """Parse the URL of a master that Sentinel names.

    Raises:
        ValueError: The URL is not valid; the text says why.
    """
    parts = urlsplit(url)
    credentials, _, hosts = parts.netloc.rpartition("@")
    sentinels = [_host_and_port(host, DEFAULT_SENTINEL_PORT) for host in hosts.split(",")]
    service, _, database = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("must name the master: redis+sentinel://host:26379,host:26379/mymaster")
    query = urlencode([pair for pair in parse_qsl(parts.query) if not pair[0].startswith("sentinel_")])
    base = parts.scheme.removesuffix("+sentinel")
    single = f"{base}://{credentials}{'@' if credentials else ''}host/{database}{'?' if query else ''}{query}"
    options: dict[str, Any] = dict(parse_url(single))
    options.pop("host", None)
    if options.pop("connection_class", None) is not None:
        options["ssl"] = True
    names = dict(parse_qsl(parts.query))
    sentinel_options: dict[str, Any] = {
        option: names[f"sentinel_{option}"] for option in ("username", "password") if f"sentinel_{option}" in names
    }
    if names.get("sentinel_ssl", "").lower() in ("true", "1", "yes"):
        sentinel_options |= {name: value for name, value in options.items() if name.startswith("ssl_")} | {"ssl": True}
    return SentinelUrl(sentinels, unquote(service), options, sentinel_options)


def open_client(url: str, *, cluster: bool, timeout: float) -> Redis:
    """Create a client of a cluster, or else of one server or of the master that Sentinel names."""
    return open_cluster(url, timeout=timeout) if cluster else open_redis(url, timeout=timeout)


def open_redis(url: str, *, timeout: float) -> Redis:
    """Create a client of one server, or of the master that Sentinel names, without retries.

    Every wait ends after `timeout` seconds.
    """
    if urlsplit(url).scheme.endswith("+sentinel"):
        return _open_sentinel(url, timeout)
    pool = BlockingConnectionPool.from_url(url, **_pool_arguments(timeout))
    return Redis.from_pool(pool)


def open_cluster(url: str, *, timeout: float) -> Redis:
    """Create a client of a cluster. It has the same interface, and every call of the service uses keys of one slot.

    The URL may name several nodes, `redis://host:port,host:port`, so that the cluster is found when one is down.

    The first connection discovers the nodes, so connecting may take four times `timeout` seconds. One retry follows a
    redirection to another node.
    """
    return cast(Redis, _open_cluster(url, timeout))


def node_of(cluster: RedisCluster, key: str) -> str | None:
    """Return host and port of the node that has the slot of `key`, None if no known node has it."""
    try:
        node = cluster.get_node_from_key(key)
    except (SlotNotCoveredError, RedisClusterException):
        return None
    return None if node is None else str(node.name)


class SingleChannelServer:
    """The channels of one server, or of the master that Sentinel names. See `ChannelServers`."""

    def __init__(self, url: str, *, timeout: float) -> None:
        """Name the server; every wait of its clients ends after `timeout` seconds."""
        self._url = url
        self._timeout = timeout

    async def refresh(self) -> None:
        """Do nothing: the clients find the master by themselves."""

    def server_of(self, channel: str) -> str | None:
        """Return the name of the only server."""
        return "redis"

    def open_subscriber(self, server: str) -> Redis:
        """Create a client."""
        return open_redis(self._url, timeout=self._timeout)

    def open_publisher(self) -> Redis:
        """Create a client."""
        return open_redis(self._url, timeout=self._timeout)


class ClusterChannelServers:
    """The channels of a cluster: each is on the node that has the slot of its name. See `ChannelServers`."""

    def __init__(self, url: str, *, timeout: float) -> None:
        """Name one node of the cluster; waits of the clients end after `timeout` seconds."""
        self._url = url
        self._timeout = timeout
        self._topology: RedisCluster | None = None

    async def refresh(self) -> None:
        """Read from the cluster which node has which slots.

        Raises:
            RedisError: Or OSError or TimeoutError: No node answers.
        """
        # A new client: it knows only addresses that are current, and none is lost if it fails.
        topology = _open_cluster(self._url, self._timeout)
        known = self._topology
        if known is not None:
            topology.nodes_manager.startup_nodes.update(known.nodes_manager.startup_nodes)
        try:
            await topology.initialize()
        finally:
            await topology.aclose()
        self._topology = topology

    def server_of(self, channel: str) -> str | None:
        """Return host and port of the node that has the slot of `channel`, None if no known node has it."""
        return None if self._topology is None else node_of(self._topology, channel)

    def open_subscriber(self, server: str) -> Redis:
        """Create a client of the node `host:port`."""
        host, _, port = server.rpartition(":")
        pool = BlockingConnectionPool.from_url(_first_host(self._url), **_pool_arguments(self._timeout))
        pool.connection_kwargs |= {"host": host.strip("[]"), "port": int(port)}
        return Redis.from_pool(pool)

    def open_publisher(self) -> Redis:
        """Create a client of the cluster."""
        return open_cluster(self._url, timeout=self._timeout)


def _open_cluster(url: str, timeout: float) -> RedisCluster:
    options: dict[str, Any] = dict(parse_url(_first_host(url)))
    for name in ("host", "port", "db"):
        options.pop(name, None)
    if options.pop("connection_class", None) is not None:
        options["ssl"] = True
    return RedisCluster(
        startup_nodes=[ClusterNode(host, port) for host, port in _cluster_nodes(url)],
        socket_timeout=timeout,
        socket_connect_timeout=4 * timeout,
        retry=Retry(NoBackoff(), 1),
        **options,
    )


def _cluster_nodes(url: str) -> list[tuple[str, int]]:
    return [_host_and_port(host, DEFAULT_PORT) for host in urlsplit(url).netloc.rpartition("@")[2].split(",")]


def _first_host(url: str) -> str:
    """Return the URL with the first of its hosts only."""
    parts = urlsplit(url)
    credentials, at, hosts = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{credentials}{at}{hosts.split(',')[0]}").geturl()


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """A pool of connections to the master, in which callers wait for a free connection."""


def _open_sentinel(url: str, timeout: float) -> Redis:
    parts = parse_sentinel_url(url)
    limits = _pool_arguments(timeout)
    waits = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        parts.sentinels, sentinel_kwargs=waits | parts.sentinel_options
    )
    return cast(
        Redis,
        sentinel.master_for(parts.service, connection_pool_class=_SentinelPool, **(limits | parts.options)),
    )


def _pool_arguments(timeout: float) -> dict[str, Any]:
    return {
        "max_connections": MAX_CONNECTIONS,
        "timeout": timeout,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
    }


def _host_and_port(text: str, default_port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("must name the host of each server")
    return parts.hostname, parts.port or default_port
