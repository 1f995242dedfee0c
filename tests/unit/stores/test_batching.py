"""Group commit: everybody gets their own, whatever the others do."""

import asyncio
from collections.abc import Sequence

import pytest

from app.domain.errors import ServiceUnavailable
from app.stores.batching import Batcher
from tests.support.wait_until import TIMEOUT


class Recorder:
    """Runs batches when told to, and remembers them."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.started = asyncio.Event()
        self.go = asyncio.Event()
        self.failure: Exception | None = None

    async def run(self, items: Sequence[str]) -> Sequence[str | Exception]:
        self.batches.append(list(items))
        self.started.set()
        await self.go.wait()
        if self.failure:
            raise self.failure
        return [ValueError(item) if item.startswith("bad") else item.upper() for item in items]


@pytest.fixture
async def recorder() -> Recorder:
    return Recorder()


def submit(queue: Batcher[str, str], *items: str) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(queue.submit(item)) for item in items]


async def test_an_idle_queue_starts_at_once_and_a_busy_one_collects(recorder: Recorder):
    queue = Batcher(recorder.run, max_batch_size=10, max_concurrent=1, key=None)
    first = submit(queue, "a")
    await asyncio.wait_for(recorder.started.wait(), TIMEOUT)
    rest = submit(queue, "b", "c", "d")
    await asyncio.sleep(0)
    assert recorder.batches == [["a"]]
    recorder.go.set()
    assert await asyncio.wait_for(asyncio.gather(*first, *rest), TIMEOUT) == ["A", "B", "C", "D"]
    assert recorder.batches == [["a"], ["b", "c", "d"]]


async def test_a_batch_is_never_larger_than_its_size(recorder: Recorder):
    queue = Batcher(recorder.run, max_batch_size=2, max_concurrent=1, key=None)
    tasks = submit(queue, "a", "b", "c", "d", "e")
    recorder.go.set()
    await asyncio.wait_for(asyncio.gather(*tasks), TIMEOUT)
    assert max(map(len, recorder.batches)) == 2


async def test_what_does_not_fit_into_the_queue_is_refused_and_what_is_in_it_is_not(recorder: Recorder):
    queue = Batcher(recorder.run, max_batch_size=1, max_concurrent=1, key=lambda item: item[0], max_queued=2)
    running = submit(queue, "a")
    await asyncio.wait_for(recorder.started.wait(), TIMEOUT)
    waiting = submit(queue, "a2", "b")
    (refused,) = submit(queue, "c")
    with pytest.raises(ServiceUnavailable):
        await asyncio.wait_for(refused, TIMEOUT)
    recorder.go.set()
    assert await asyncio.wait_for(asyncio.gather(*running, *waiting), TIMEOUT) == ["A", "A2", "B"]
    assert await asyncio.wait_for(queue.submit("c"), TIMEOUT) == "C"


async def test_everybody_gets_their_own_result_or_error(recorder: Recorder):
    queue = Batcher(recorder.run, max_batch_size=10, max_concurrent=1, key=None)
    tasks = submit(queue, "a", "bad", "c")
    recorder.go.set()
    results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), TIMEOUT)
    assert [str(result) for result in results] == ["A", "bad", "C"]
    assert isinstance(results[1], ValueError)


async def test_a_store_that_is_away_is_asked_once_for_the_whole_batch(recorder: Recorder):
    queue = Batcher(recorder.run, max_batch_size=10, max_concurrent=1, key=None)
    recorder.failure = ServiceUnavailable()
    doomed = submit(queue, "a", "b")
    recorder.go.set()
    assert all(isinstance(e, ServiceUnavailable) for e in await asyncio.gather(*doomed, return_exceptions=True))
    assert recorder.batches == [["a", "b"]]
    recorder.failure = None
    assert await asyncio.wait_for(queue.submit("c"), TIMEOUT) == "C"


@pytest.mark.parametrize("bad", [{0}, {63}, {5, 6, 40}, set(range(64))])
async def test_an_item_that_makes_its_batch_fail_fails_alone(bad: set[int]):
    calls = 0

    async def run(items: Sequence[int]) -> Sequence[int]:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0)
        if blamed := bad.intersection(items):
            raise ValueError(min(blamed))
        return items

    queue: Batcher[int, int] = Batcher(run, max_batch_size=64, max_concurrent=1, key=lambda item: item)
    results = await asyncio.wait_for(asyncio.gather(*map(queue.submit, range(64)), return_exceptions=True), 5)
    for item, result in enumerate(results):
        assert str(result) == str(item)
        assert isinstance(result, ValueError) == (item in bad)
    assert calls <= 1 + 2 * 6 * len(bad)


async def test_a_store_that_goes_away_while_a_batch_is_taken_apart_is_not_asked_for_the_rest():
    asked: list[Sequence[int]] = []

    async def run(items: Sequence[int]) -> Sequence[int]:
        asked.append(items)
        if len(items) == 8:
            raise ValueError("one of these")
        raise ServiceUnavailable

    queue: Batcher[int, int] = Batcher(run, max_batch_size=8, max_concurrent=1, key=None)
    results = await asyncio.wait_for(asyncio.gather(*map(queue.submit, range(8)), return_exceptions=True), 5)
    assert all(isinstance(result, ServiceUnavailable) for result in results)
    assert len(asked) == 2


async def test_equal_items_share_a_batch_unless_a_key_says_otherwise(recorder: Recorder):
    queue = Batcher(recorder.run, max_batch_size=10, max_concurrent=1, key=None)
    tasks = submit(queue, "a", "a", "a")
    recorder.go.set()
    assert await asyncio.wait_for(asyncio.gather(*tasks), 5) == ["A", "A", "A"]
    assert recorder.batches == [["a", "a", "a"]]


async def test_many_items_of_one_key_keep_nobody_else_waiting():
    batches: list[Sequence[str]] = []

    async def run(items: Sequence[str]) -> Sequence[str]:
        batches.append(items)
        await asyncio.sleep(0)
        return items

    queue: Batcher[str, str] = Batcher(run, max_batch_size=4, max_concurrent=1, key=lambda item: item[0])
    futures = [queue.enqueue(f"x{n}") for n in range(50)] + [queue.enqueue(letter) for letter in "abcde"]
    await asyncio.wait_for(asyncio.gather(*futures), 5)
    assert batches[0] == ["x0", "a", "b", "c"]
    assert batches[1] == ["d", "e", "x1"]
    assert [item for batch in batches for item in batch if item[0] == "x"] == [f"x{n}" for n in range(50)]


async def test_items_with_the_same_key_are_never_under_way_together(recorder: Recorder):
    queue: Batcher[str, str] = Batcher(recorder.run, max_batch_size=10, max_concurrent=5, key=lambda item: item[0])
    tasks = submit(queue, "x1", "x2", "y1", "x3")
    await asyncio.wait_for(recorder.started.wait(), TIMEOUT)
    recorder.go.set()
    await asyncio.wait_for(asyncio.gather(*tasks), TIMEOUT)
    for batch in recorder.batches:
        assert len({item[0] for item in batch}) == len(batch)
    assert [item for batch in recorder.batches for item in batch if item[0] == "x"] == ["x1", "x2", "x3"]


async def test_a_caller_who_leaves_takes_nobody_along(recorder: Recorder):
    queue = Batcher(recorder.run, max_batch_size=10, max_concurrent=1, key=None)
    leaver, stayer = submit(queue, "a", "b")
    await asyncio.wait_for(recorder.started.wait(), TIMEOUT)
    leaver.cancel()
    recorder.go.set()
    assert await asyncio.wait_for(stayer, TIMEOUT) == "B"
    await asyncio.wait_for(queue.drain(), TIMEOUT)
    assert recorder.batches == [["a"], ["b"]] or recorder.batches == [["a", "b"]]


async def test_what_comes_in_the_same_turn_of_the_loop_shares_a_batch_from_the_first_on(recorder: Recorder):
    queue = Batcher(recorder.run, max_batch_size=10, max_concurrent=3, key=None)
    tasks = submit(queue, "a", "b", "c")
    recorder.go.set()
    await asyncio.wait_for(queue.drain(), TIMEOUT)
    assert await asyncio.gather(*tasks) == ["A", "B", "C"]
    assert recorder.batches == [["a", "b", "c"]]


async def test_draining_waits_for_what_has_not_even_started(recorder: Recorder):
    queue = Batcher(recorder.run, max_batch_size=10, max_concurrent=1, key=None)
    recorder.go.set()
    waiting = asyncio.ensure_future(queue.submit("a"))
    await asyncio.sleep(0)
    assert recorder.batches == []
    await asyncio.wait_for(queue.drain(), TIMEOUT)
    assert recorder.batches == [["a"]]
    assert await waiting == "A"


async def test_another_batch_is_begun_beside_one_only_when_enough_wait(recorder: Recorder):
    queue = Batcher(recorder.run, max_batch_size=10, max_concurrent=2, key=None, min_second_batch=lambda: 3)
    tasks = submit(queue, "a")
    await asyncio.wait_for(recorder.started.wait(), TIMEOUT)
    tasks += submit(queue, "b", "c")
    for _ in range(5):
        await asyncio.sleep(0)
    assert recorder.batches == [["a"]]
    tasks += submit(queue, "d")
    for _ in range(5):
        await asyncio.sleep(0)
    assert recorder.batches == [["a"], ["b", "c", "d"]]
    tasks += submit(queue, *"efghi")
    recorder.go.set()
    assert await asyncio.wait_for(asyncio.gather(*tasks), TIMEOUT) == list("ABCDEFGHI")


@pytest.mark.parametrize("min_second_batch", [1, 2, 3, 50])
@pytest.mark.parametrize("keys", [1, 3, 100])
async def test_nothing_waits_for_ever_whatever_it_is_worth_to_begin(min_second_batch: int, keys: int):
    done: list[int] = []

    async def run(items: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(0)
        done.extend(items)
        return items

    queue: Batcher[int, int] = Batcher(
        run, max_batch_size=4, max_concurrent=3, min_second_batch=lambda: min_second_batch, key=lambda item: item % keys
    )
    tasks = []
    for item in range(60):
        tasks.append(asyncio.create_task(queue.submit(item)))
        if item % 7 == 0:
            await asyncio.sleep(0)
    assert await asyncio.wait_for(asyncio.gather(*tasks), TIMEOUT) == list(range(60))
    for key in range(keys):
        assert [item for item in done if item % keys == key] == list(range(key, 60, keys))


async def test_a_batch_is_over_before_the_futures_that_it_returns():
    later: list[asyncio.Future[str]] = []

    async def run(items: Sequence[str]) -> Sequence[asyncio.Future[str]]:
        futures = [asyncio.get_running_loop().create_future() for _ in items]
        later.extend(futures)
        return futures

    queue: Batcher[str, str] = Batcher(run, max_batch_size=10, max_concurrent=1, key=lambda item: item)
    result, failure, left = (queue.enqueue(item) for item in "abc")
    await asyncio.wait_for(queue.drain(), TIMEOUT)
    assert not result.done()
    left.cancel()
    later[0].set_result("A")
    later[1].set_exception(ValueError("b"))
    later[2].set_result("C")
    assert await asyncio.wait_for(result, TIMEOUT) == "A"
    with pytest.raises(ValueError, match="b"):
        await asyncio.wait_for(failure, TIMEOUT)
    assert left.cancelled()
