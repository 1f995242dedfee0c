"""Redis Streams: one stream, whose entries have the fields `id`, `type`, `subject` and `event`."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.domain.events.event import RecordedEvent
from app.services.streams.stream import StreamUnavailable

NAME = "redis"


class RedisStream:
    """Publishes to a Redis stream, which is trimmed to about `max_length` entries.

    The id of an entry is `<position>-0`. Redis refuses an id that is not higher than the last one, so an event that was
    published before and is repeated is recognised and not appended again.
    """

    name = NAME

    def __init__(self, redis: Redis, key: str, source: str, *, max_length: int) -> None:
        self._redis = redis
        self._key = key
        self._source = source
        self._max_length = max_length

    async def publish(self, events: Sequence[RecordedEvent]) -> None:
        """Append events. Raises StreamUnavailable."""
        try:
            last = await self._last_position()
            new = [event for event in events if event.position > last]
            if not new:
                return
            async with self._redis.pipeline(transaction=False) as pipe:
                for event in new:
                    pipe.xadd(
                        self._key,
                        {
                            "id": str(event.id),
                            "type": event.type,
                            "subject": event.subject,
                            "event": event.envelope(self._source),
                        },
                        id=f"{event.position}-0",
                        maxlen=self._max_length,
                        approximate=True,
                    )
                await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise StreamUnavailable(f"{type(error).__name__}: {error}") from error

    async def aclose(self) -> None:
        """Do nothing: the client is closed by who has opened it."""

    async def _last_position(self) -> int:
        entries = await self._redis.xrevrange(self._key, count=1)
        if not entries:
            return 0
        last = entries[0][0]
        text = last.decode() if isinstance(last, bytes) else str(last)
        return int(text.partition("-")[0])
