"""The caps of running operations."""

import pytest

from app.domain.errors import RateLimited
from app.domain.users import Role
from app.services.limits.running_operations import RunningLimits, RunningOperations
from tests.support.service import caller

HOME = "192.0.2.1"


def running(per_user: int = 2, per_address: int = 3, in_all: int = 100, factor: int = 2) -> RunningOperations:
    return RunningOperations(RunningLimits(per_user, per_address, in_all, factor))


def test_a_user_may_have_so_many_operations_at_a_time():
    operations, alice = running(), caller()
    first, _ = operations.start(alice, HOME), operations.start(alice, "192.0.2.2")
    with pytest.raises(RateLimited, match="your account") as refusal:
        operations.start(alice, HOME)
    assert refusal.value.retry_after == 1
    operations.end(first)
    operations.start(alice, HOME)


def test_callers_without_a_token_do_not_take_the_places_of_users_of_the_same_address():
    operations = running()
    for _ in range(3):
        operations.start(None, HOME)
    with pytest.raises(RateLimited, match="your address"):
        operations.start(None, HOME)
    operations.start(None, "192.0.2.2")
    for _ in range(3):
        operations.start(caller(), HOME)
    with pytest.raises(RateLimited, match="your address"):
        operations.start(caller(), HOME)


def test_the_subscribers_of_one_ipv6_network_have_a_common_cap():
    operations = running()
    for number in range(6):
        operations.start(None, f"2001:db8:7:{number}::/64")
    with pytest.raises(RateLimited, match="your network"):
        operations.start(None, "2001:db8:7:99::/64")
    operations.start(None, "2001:db8:8:99::/64")


def test_all_callers_together_have_a_cap_also_servers():
    operations, server = running(in_all=5), caller(role=Role.SERVER)
    for _ in range(5):
        operations.start(server, HOME)
    with pytest.raises(RateLimited, match="all clients"):
        operations.start(server, HOME)


def test_a_refused_operation_takes_no_place_and_nothing_is_kept_when_all_have_ended():
    operations, alice = running(per_user=1), caller()
    taken = [operations.start(alice, HOME), operations.start(None, HOME)]
    for _ in range(50):
        with pytest.raises(RateLimited):
            operations.start(alice, HOME)
    assert (operations.total, operations.refused) == (2, 50)
    for keys in taken:
        operations.end(keys)
    assert operations.total == 0
    assert operations._counts == {}


def test_without_limits_nothing_is_refused():
    operations = RunningOperations(None)
    taken = [operations.start(caller(), HOME) for _ in range(2000)]
    assert operations.total == 2000
    for keys in taken:
        operations.end(keys)
    assert operations.total == 0
