"""Whatever the client raises means that Redis cannot be used; mistakes of this project stay visible."""

import json
from typing import Any, cast

import pytest
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from structlog.testing import capture_logs

from app.domain.boards.board import Board
from app.services.board_index import Keys
from app.stores.circuit_breaker import CircuitBreaker
from app.stores.redis_caller import REDIS_FAILURES, RedisCaller, RedisUnreachable
from tests.support.runtime import runtime_for


@pytest.fixture
def redis_caller() -> RedisCaller:
    breaker = CircuitBreaker("redis", REDIS_FAILURES, runtime_for(), threshold=3)
    return RedisCaller(breaker, reads_while_read_only=False)


class Answer:
    """A call that fails with an exception, if there is one."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.calls = 0
        self._failure = failure

    async def __call__(self) -> str:
        self.calls += 1
        if self._failure is not None:
            raise self._failure
        return "answer"


async def of_the_client() -> Any:
    return json.loads(cast(str, None))  # Raises a TypeError in a module that is not of this project.


async def of_this_project() -> Any:
    return Keys("lb").order(cast(Board, None))


async def test_undocumented_errors_of_the_client_are_failures_of_redis_and_open_the_circuit(redis_caller: RedisCaller):
    with capture_logs() as logs:
        for _ in range(3):
            with pytest.raises(RedisUnreachable, match="TypeError"):
                await redis_caller(of_the_client)
    assert redis_caller.breaker.is_open
    assert redis_caller.failures == {"client": 3}
    (line,) = [one for one in logs if one["event"] == "redis_call_failed"]
    assert line["exc_info"], "the traceback is missing"


async def test_a_connection_that_closes_under_a_sender_is_an_outage_like_any_other(redis_caller: RedisCaller):
    error = RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")
    with capture_logs() as logs, pytest.raises(RedisUnreachable):
        await redis_caller(Answer(error))
    assert redis_caller.failures == {"unreachable": 1}
    assert not logs[0]["exc_info"]


async def test_a_mistake_of_this_project_is_raised_as_it_is(redis_caller: RedisCaller):
    for _ in range(4):
        with pytest.raises(AttributeError):
            await redis_caller(of_this_project)
    assert not redis_caller.breaker.is_open
    assert redis_caller.failures == {}


async def test_each_cause_is_logged_once(redis_caller: RedisCaller):
    causes: list[Exception] = [RedisError("one"), ConnectionError("two"), RedisError("one")]
    with capture_logs() as logs:
        for cause in causes:
            with pytest.raises(RedisUnreachable):
                await redis_caller(Answer(cause))
    failures = [line["cause"] for line in logs if line["event"] == "redis_call_failed"]
    assert failures == ["RedisError: one", "ConnectionError: two"]


@pytest.mark.parametrize(
    "refusal",
    [
        ReadOnlyError("You can't write against a read only replica."),
        OutOfMemoryError("command not allowed when used memory > 'maxmemory'."),
        ResponseError("MISCONF Redis is configured to save RDB snapshots"),
        ResponseError("NOREPLICAS Not enough good replicas to write."),
    ],
)
async def test_a_server_that_refuses_a_write_is_not_read_before_it_accepts_one(
    redis_caller: RedisCaller, refusal: Exception
):
    read = Answer()
    assert await redis_caller(read) == "answer"
    with pytest.raises(RedisUnreachable):
        await redis_caller(Answer(refusal), writes=True)
    assert redis_caller.refuses_writes
    with pytest.raises(RedisUnreachable, match="refuses writes"):
        await redis_caller(read)
    assert read.calls == 1
    assert await redis_caller(Answer(), writes=True) == "answer"
    assert await redis_caller(read) == "answer"


async def test_housekeeping_reads_from_a_server_that_refuses_writes():
    redis_caller = RedisCaller(CircuitBreaker("redis", REDIS_FAILURES, runtime_for()))
    with pytest.raises(RedisUnreachable):
        await redis_caller(Answer(ReadOnlyError()), writes=True)
    assert await redis_caller(Answer()) == "answer"
