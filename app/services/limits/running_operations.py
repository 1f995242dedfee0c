"""The operations that run at the moment, in this process: how many each caller, each address and all may have."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import NamedTuple

from app.domain.addresses import aggregate_of
from app.domain.errors import RateLimited
from app.domain.users import Caller, Role

RETRY_AFTER = 1
"""Seconds after which a client that was refused should try again."""


class RunningLimits(NamedTuple):
    """How many operations may run at a time in one process.

    Attributes:
        per_user: Of one user.
        per_address: Of all users of one address, and as many of its callers without a user.
        in_all: Of all callers together.
        aggregate_factor: The /48 network of an IPv6 address may have this many times what one address may have.
    """

    per_user: int
    per_address: int
    in_all: int
    aggregate_factor: int


class RunningOperations:
    """Counts running operations, and refuses those beyond the limits at once: nothing waits.

    Users and callers without a user are counted apart at an address, so that the latter cannot take the places of the
    former. A caller with the role SERVER is counted in all only: it acts for thousands of players.
    """

    def __init__(self, limits: RunningLimits | None) -> None:
        """Create a counter; without `limits` it refuses nothing."""
        self._limits = limits
        self._counts: dict[Hashable, int] = {}
        self.total = 0
        """How many operations run."""
        self.refused = 0
        """How many operations were refused."""

    def start(self, caller: Caller | None, address: str) -> tuple[Hashable, ...]:
        """Count an operation that starts, and return what to pass to `end` when it has ended.

        Raises:
            RateLimited: As many operations run as may run at a time.
        """
        limits = self._limits
        keys: tuple[Hashable, ...] = ()
        if limits is not None:
            if self.total >= limits.in_all:
                self._refuse("all clients")
            counts = self._counts
            places = tuple(_places(limits, caller, address))
            for key, max_running, whose in places:
                if counts.get(key, 0) >= max_running:
                    self._refuse(whose)
            keys = tuple([key for key, _, _ in places])
            for key in keys:
                counts[key] = counts.get(key, 0) + 1
        self.total += 1
        return keys

    def end(self, keys: tuple[Hashable, ...]) -> None:
        """Count an operation that has ended."""
        self.total -= 1
        counts = self._counts
        for key in keys:
            left = counts[key] - 1
            if left:
                counts[key] = left
            else:
                del counts[key]

    def _refuse(self, whose: str) -> None:
        self.refused += 1
        raise RateLimited(RETRY_AFTER, f"Too many operations of {whose} are running at the moment.")


def _places(limits: RunningLimits, caller: Caller | None, address: str) -> Iterator[tuple[Hashable, int, str]]:
    if caller is not None:
        if caller.role is Role.SERVER:
            return
        yield caller.user_id, limits.per_user, "your account"
    kind = caller is not None
    yield (kind, address), limits.per_address, "your address"
    aggregate = aggregate_of(address)
    if aggregate is not None:
        yield (kind, aggregate), limits.per_address * limits.aggregate_factor, "your network"
