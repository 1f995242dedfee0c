import asyncio
import hashlib

from redis.asyncio import Redis

from app.transport.persisted_documents.store import REFRESH_SECONDS, RecentDocuments, RedisDocuments
from tests.support.stores import BreakableServer
from tests.support.wait_until import TIMEOUT

QUERY = "{hello}"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_documents_in_redis_are_seen_by_every_instance_and_expire(redis_url: str):
    async with Redis.from_url(redis_url) as one, Redis.from_url(redis_url, decode_responses=True) as other:
        await RedisDocuments(one, prefix="t", ttl=60).put(sha256(QUERY), QUERY)
        assert await RedisDocuments(one, prefix="t", ttl=60).get(sha256(QUERY)) == QUERY
        assert await RedisDocuments(other, prefix="t", ttl=60).get(sha256(QUERY)) == QUERY
        assert await RedisDocuments(other, prefix="t", ttl=60).get(sha256("{b}")) is None
        keys = [key async for key in other.scan_iter("t:{documents}*")]
        assert len(keys) == 3
        assert all([0 < await other.ttl(key) <= 60 for key in keys])


async def test_redis_keeps_no_more_documents_than_allowed_and_no_overlong_ones(redis_url: str):
    async with Redis.from_url(redis_url) as redis:
        store = RedisDocuments(redis, prefix="t", max_entries=3, max_document_bytes=10)
        texts = [f"{{f{n}}}" for n in range(5)]
        for text in texts:
            await store.put(sha256(text), text)
        assert sum([await store.get(sha256(text)) is not None for text in texts]) == 3
        assert await redis.zcard(store.index) == 3
        long = "{" + "a" * 10 + "}"
        await store.put(sha256(long), long)
        assert await store.get(sha256(long)) is None


async def test_the_documents_together_have_a_limit_in_bytes_and_those_used_longest_ago_make_room(redis_url: str):
    async with Redis.from_url(redis_url) as redis:
        store = RedisDocuments(redis, prefix="t", max_bytes=1000)
        texts = [f"{{{number}{'x' * 197}}}" for number in range(8)]
        for number, text in enumerate(texts[:5]):
            await store.put(sha256(text), text)
            await age(redis, store, sha256(text), 100 - number)
        assert await store.get(sha256(texts[0])) == texts[0]  # the oldest is used again
        for text in texts[5:7]:
            await store.put(sha256(text), text)
        kept = [number for number, text in enumerate(texts) if await redis.exists(f"{store.index}:{sha256(text)}")]
        assert kept == [0, 3, 4, 5, 6]
        assert int(await redis.hget(f"{store.index}:sizes", "total")) == 1000
        assert await redis.zcard(store.index) == 5


async def test_storing_a_document_again_counts_its_bytes_once(redis_url: str):
    async with Redis.from_url(redis_url) as redis:
        store = RedisDocuments(redis, prefix="t")
        for _ in range(3):
            await store.put(sha256(QUERY), QUERY)
        assert int(await redis.hget(f"{store.index}:sizes", "total")) == len(QUERY)


async def test_the_bytes_of_expired_documents_are_free_again(redis_url: str):
    async with Redis.from_url(redis_url) as redis:
        store = RedisDocuments(redis, prefix="t", ttl=60)
        await store.put(sha256("{old}"), "{old}")
        await age(redis, store, sha256("{old}"), 61)
        await redis.delete(f"{store.index}:{sha256('{old}')}")
        await store.put(sha256(QUERY), QUERY)
        assert await redis.zcard(store.index) == 1
        assert int(await redis.hget(f"{store.index}:sizes", "total")) == len(QUERY)


async def test_a_lost_index_does_not_stop_the_storing(redis_url: str):
    async with Redis.from_url(redis_url) as redis:
        store = RedisDocuments(redis, prefix="t", max_bytes=200)
        await store.put(sha256("{" + "x" * 150 + "}"), "{" + "x" * 150 + "}")
        await redis.delete(store.index)
        for number in range(3):
            text = f"{{{number}{'y' * 98}}}"
            await store.put(sha256(text), text)
        assert await store.get(sha256(text)) == text


async def test_a_document_in_use_stays_in_redis_though_a_process_knows_it(redis_url: str):
    now = 0.0
    async with Redis.from_url(redis_url) as redis:
        store = RedisDocuments(redis, prefix="t")
        recent = RecentDocuments(store, monotonic=lambda: now)
        await recent.put(sha256(QUERY), QUERY)
        await age(redis, store, sha256(QUERY), 1000)
        used_at = await redis.zscore(store.index, sha256(QUERY))
        assert await recent.get(sha256(QUERY)) == QUERY
        assert await redis.zscore(store.index, sha256(QUERY)) == used_at
        now = REFRESH_SECONDS
        assert await recent.get(sha256(QUERY)) == QUERY
        assert await redis.zscore(store.index, sha256(QUERY)) >= used_at + 1000
        await redis.delete(f"{store.index}:{sha256(QUERY)}")
        now = 2 * REFRESH_SECONDS
        assert await recent.get(sha256(QUERY)) == QUERY
        assert await store.get(sha256(QUERY)) == QUERY


async def age(redis: Redis, store: RedisDocuments, digest: str, seconds: int) -> None:
    """Make the last use of a document longer ago."""
    await redis.zincrby(store.index, -seconds, digest)


async def test_nothing_is_found_while_redis_is_away_or_silent(redis_server: BreakableServer):
    failures: list[Exception] = []
    async with Redis.from_url(redis_server.url) as redis:
        store = RedisDocuments(redis, prefix="t", timeout=0.2, on_failure=failures.append)
        await store.put(sha256(QUERY), QUERY)
        redis_server.freeze()
        async with asyncio.timeout(TIMEOUT):
            assert await store.get(sha256(QUERY)) is None
        redis_server.thaw()
        redis_server.kill()
        async with asyncio.timeout(TIMEOUT):
            assert await store.get(sha256(QUERY)) is None
            await store.put(sha256(QUERY), QUERY)
    assert len(failures) == 3
