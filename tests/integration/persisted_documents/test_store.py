import asyncio
import hashlib

from redis.asyncio import Redis

from app.transport.persisted_documents.store import RedisDocuments
from tests.support.stores import BreakableServer
from tests.support.wait_until import TIMEOUT

QUERY = "{hello}"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_documents_in_redis_are_seen_by_every_instance_and_expire(redis_url: str):
    async with Redis.from_url(redis_url) as one, Redis.from_url(redis_url, decode_responses=True) as other:
        await RedisDocuments(one, prefix="t", ttl=60).put(sha256(QUERY), QUERY)
        assert await RedisDocuments(one, prefix="t").get(sha256(QUERY)) == QUERY
        assert await RedisDocuments(other, prefix="t").get(sha256(QUERY)) == QUERY
        assert await RedisDocuments(other, prefix="t").get(sha256("{b}")) is None
        keys = [key async for key in other.scan_iter("t:{documents}*")]
        assert len(keys) == 2
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
