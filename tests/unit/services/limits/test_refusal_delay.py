"""The delay of refusals that are certain."""

import asyncio

import pytest

from app.services.limits.refusal_delay import RefusalDelay

FOR_EVER = 3600


def waits(delay: RefusalDelay) -> bool:
    """Whether a refusal waits: whether its coroutine does not end at its first step."""
    refusal = delay.wait()
    try:
        refusal.send(None)
    except StopIteration:
        return False
    refusal.close()
    return True


async def test_a_refusal_waits():
    assert waits(RefusalDelay(FOR_EVER))


async def test_a_delay_of_zero_waits_for_nothing():
    assert not waits(RefusalDelay(0))


async def test_only_so_many_refusals_wait_at_a_time():
    delay = RefusalDelay(FOR_EVER, max_waiting=2)
    waiting = [asyncio.create_task(delay.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not waits(delay)
    waiting[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    assert waits(delay)
    waiting[1].cancel()
