"""URLs of Redis, as clients are made of them."""

from app.stores.redis_clients import open_cluster, open_redis, parse_sentinel_url


def test_a_sentinel_url_has_servers_service_credentials_and_database():
    parts = parse_sentinel_url("redis+sentinel://ada:w%40rd@one,two:26380,[::1]:1/mymaster/2?sentinel_password=other")
    assert parts.sentinels == [("one", 26379), ("two", 26380), ("::1", 1)]
    assert parts.service == "mymaster"
    assert parts.options == {"username": "ada", "password": "w@rd", "db": 2}
    assert parts.sentinel_options == {"password": "other"}


def test_tls_is_kept_for_the_master_that_sentinel_names():
    assert parse_sentinel_url("rediss+sentinel://one/mymaster").options["ssl"] is True


def test_sentinels_are_asked_with_tls_if_the_url_says_so():
    url = "rediss+sentinel://one/mymaster?ssl_ca_certs=/ca.pem"
    assert parse_sentinel_url(url).sentinel_options == {}
    encrypted = parse_sentinel_url(f"{url}&sentinel_ssl=true")
    assert encrypted.sentinel_options == {"ssl": True, "ssl_ca_certs": "/ca.pem"}
    assert encrypted.options["ssl_ca_certs"] == "/ca.pem"


async def test_the_waits_of_every_kind_of_client_are_bounded():
    for url in ("redis://localhost", "redis+sentinel://one/mymaster"):
        client = open_redis(url, timeout=0.5)
        options = client.connection_pool.connection_kwargs
        assert (options["socket_timeout"], options["socket_connect_timeout"]) == (0.5, 0.5)
        await client.aclose()
    cluster = open_cluster("redis://:word@one:7000,two:7001", timeout=0.5)
    nodes = cluster.nodes_manager.startup_nodes
    assert sorted(nodes) == ["one:7000", "two:7001"]
    assert nodes["one:7000"].connection_kwargs["password"] == "word"
    await cluster.aclose()
