"""The count of refused requests in a process."""

import pytest

from app.domain.errors import RateLimited
from app.services.limits.refusal_delay import RefusalDelay
from app.services.limits.refusals import Refusals
from tests.support.runtime import runtime_for


class Now:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def counter(now: Now, most: int | None = 3, factor: int = 2, capacity: int = 100) -> Refusals:
    return Refusals(most, factor, runtime_for(monotonic=now), RefusalDelay(0), capacity=capacity)


async def test_an_address_over_the_limit_waits_until_its_minute_ends():
    now = Now()
    refusals = counter(now)
    for _ in range(3):
        assert refusals.retry_after("192.0.2.1") == 0
        refusals.add("192.0.2.1")
        now.seconds += 1
    assert refusals.retry_after("192.0.2.1") == 57
    with pytest.raises(RateLimited) as refusal:
        await refusals.refuse_if_over("192.0.2.1")
    assert refusal.value.retry_after == 57
    await refusals.refuse_if_over("192.0.2.2")
    now.seconds += 57
    await refusals.refuse_if_over("192.0.2.1")
    refusals.add("192.0.2.1")
    assert refusals.retry_after("192.0.2.1") == 0


def test_the_subscribers_of_one_ipv6_network_are_counted_together_too():
    refusals = counter(Now())
    for number in range(6):
        refusals.add(f"2001:db8:7:{number:x}::/64")
    assert refusals.retry_after("2001:db8:7:ff::/64") == 60
    assert refusals.retry_after("2001:db8:8:ff::/64") == 0


def test_it_keeps_a_bounded_number_of_addresses():
    refusals = counter(Now(), most=1, capacity=10)
    for number in range(50):
        refusals.add(f"192.0.2.{number}")
    assert [number for number in range(50) if refusals.retry_after(f"192.0.2.{number}")] == list(range(40, 50))


async def test_without_a_limit_nothing_is_counted():
    refusals = counter(Now(), most=None)
    for _ in range(1000):
        refusals.add("192.0.2.1")
    await refusals.refuse_if_over("192.0.2.1")
