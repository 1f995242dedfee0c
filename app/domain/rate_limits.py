"""Rate limits by sliding window: how many hits a user, an address and the whole service may have in a period."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from app.domain.addresses import aggregate_of
from app.domain.errors import BadUserInput
from app.domain.users import Caller, Role

MINUTE = 60
"""Seconds in a minute."""


class Activity(StrEnum):
    """The kind of work that a field of an operation is counted as."""

    ISSUE = "issue"
    SUBMIT = "submit"
    QUERY = "query"


class Limit(NamedTuple):
    """At most `max_hits` hits within any `seconds` consecutive seconds.

    Attributes:
        name: Unique among all limits; part of the keys in Redis.
        noun: What is counted, in the plural, for messages.
        max_hits: The number of hits that a window may hold.
        seconds: The length of the window.
    """

    name: str
    noun: str
    max_hits: int
    seconds: int

    def halved(self) -> Limit:
        """Return the limit of a process that counts alone: two such processes together stay within this limit."""
        return self._replace(max_hits=max(1, self.max_hits // 2))

    def times(self, factor: int) -> Limit:
        """Return the limit of a network that many clients share."""
        return self._replace(name=f"{self.name}-aggregate", max_hits=self.max_hits * factor)


class Blockable(NamedTuple):
    """A user or a network that is blocked after `max_overruns` refused hits."""

    subject: str
    max_overruns: int


class Charge(NamedTuple):
    """`cost` hits to be counted for `subject` against `limit`.

    Attributes:
        subject: A user or a network; the subject of the `Blockable` if there is one. Empty for everybody together.
        blockable: The number of the `Blockable` of the hit, from 0 on, for which exceeding this limit is an overrun;
            None if it is an overrun of nobody, because others may have used up the limit.
    """

    limit: Limit
    subject: str
    cost: int
    blockable: int | None = None


class Hit(NamedTuple):
    """One request. All of its charges are counted, or none."""

    blockables: tuple[Blockable, ...]
    charges: tuple[Charge, ...]


class Decision(NamedTuple):
    """The decision about a hit: it is allowed if `retry_after` is 0, and refused otherwise.

    Attributes:
        retry_after: Seconds after which the same hit is allowed, if nothing else is counted meanwhile.
        limit: The limit with the longest wait; None if a subject is blocked.
        blocked: The blocked subject; None if none is.
    """

    retry_after: float
    limit: Limit | None = None
    blocked: str | None = None


ALLOWED = Decision(0.0)
"""The decision about every hit that is within all limits."""


class Allowance(NamedTuple):
    """What remains of a limit; all of it is available again after `resets_in` seconds without a hit."""

    limit: Limit
    remaining: int
    resets_in: float


class BlockingRule(NamedTuple):
    """Block a user or an address for `block_seconds` after `max_overruns` refused hits within `window_seconds`."""

    max_overruns: int
    window_seconds: int
    block_seconds: int


DEFAULT_CONNECTIONS = Limit("connections", "connections", 600, MINUTE)


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits of an installation.

    Attributes:
        user: The limits of each user, by activity.
        address: The additional limits of each client address, by activity.
        anonymous: The limit of each address for requests without an access token.
        service_wide: The limit of all clients together.
        blocking: When a user, or an address without a user, is blocked.
        aggregate_factor: A /48 network of IPv6 may have this many times what one address may have.
        connections: The limit of each address for WebSocket handshakes.
    """

    user: Mapping[Activity, Limit]
    address: Mapping[Activity, Limit]
    anonymous: Limit
    service_wide: Limit
    blocking: BlockingRule
    aggregate_factor: int = 16
    connections: Limit = DEFAULT_CONNECTIONS

    def connection_hit(self, address: str) -> Hit:
        """Return the charges of a WebSocket handshake, which nobody is blocked for: its caller is not known yet."""
        charges = [_charge(limit, subject, 1) for limit, subject in self._by_network(self.connections, address)]
        return Hit((), (*charges, _charge(self.service_wide, "", 1)))

    def hit(self, caller: Caller | None, address: str, costs: Mapping[Activity, int]) -> Hit:
        """Return the charges of a request.

        A user is counted by user and by address, and only the user's own overruns count: the address is shared with
        others. A caller with the role SERVER reports for thousands of players from one address, so it is counted
        against the service-wide limit only.

        Args:
            caller: The caller; None for an anonymous request.
            address: The client's address.
            costs: The weight of the request per activity.

        Raises:
            BadUserInput: The request alone exceeds a limit, so it could never be allowed.
        """
        total = sum(costs.values())
        blockables = self.blockables(caller, address)
        charges: list[Charge] = []
        if caller is None:
            charges += [
                _charge(limit, subject, total, number)
                for number, (limit, subject) in enumerate(self._by_network(self.anonymous, address))
            ]
        elif caller.role is not Role.SERVER:
            user = user_subject(caller)
            charges += [_charge(self.user[activity], user, cost, 0) for activity, cost in costs.items()]
            charges += [
                _charge(by_network, subject, cost)
                for activity, cost in costs.items()
                if (limit := self.address.get(activity)) is not None
                for by_network, subject in self._by_network(limit, address)
            ]
        return Hit(blockables, (*charges, _charge(self.service_wide, "", total)))

    def blockables(self, caller: Caller | None, address: str) -> tuple[Blockable, ...]:
        """Return who is blocked after overruns: a user, or the networks of a caller without a user."""
        max_overruns = self.blocking.max_overruns
        if caller is not None:
            return () if caller.role is Role.SERVER else (Blockable(user_subject(caller), max_overruns),)
        aggregate = aggregate_of(address)
        if aggregate is None:
            return (Blockable(address, max_overruns),)
        return Blockable(address, max_overruns), Blockable(aggregate, max_overruns * self.aggregate_factor)

    def _by_network(self, limit: Limit, address: str) -> Iterator[tuple[Limit, str]]:
        """Yield a limit of an address, and the larger one of the network around it if there is such a network."""
        yield limit, address
        aggregate = aggregate_of(address)
        if aggregate is not None:
            yield limit.times(self.aggregate_factor), aggregate


def user_subject(caller: Caller) -> str:
    """Return the subject that a user is counted and blocked as."""
    return f"user:{caller.user_id}"


def _charge(limit: Limit, subject: str, cost: int, blockable: int | None = None) -> Charge:
    if cost > limit.max_hits:
        raise BadUserInput(f"A request must weigh at most {limit.max_hits} {limit.noun}.")
    return Charge(limit, subject, cost, blockable)


class SlidingWindow:
    """A log of the last `max_hits` instants at which hits were counted against one limit.

    No longer log is needed: `cost` more hits fit when the hit that they push out is older than the window is long.
    Instants are seconds of any clock that never goes back.
    """

    __slots__ = ("_instants", "_limit")

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._instants: deque[float] = deque(maxlen=limit.max_hits)

    def retry_after(self, now: float, cost: int) -> float:
        """Return the seconds until `cost` hits fit; 0 if they fit now.

        A cost above the limit never fits; the length of the window is returned for it.
        """
        if cost > self._limit.max_hits:
            return self._limit.seconds
        pushed_out = len(self._instants) - self._limit.max_hits + cost - 1
        return max(0.0, self._instants[pushed_out] + self._limit.seconds - now) if pushed_out >= 0 else 0.0

    def add(self, now: float, cost: int) -> None:
        """Count `cost` hits."""
        self._instants.extend([now] * cost)

    def allowance(self, now: float) -> Allowance:
        """Return what remains of the limit."""
        return allowance(self._limit, self._instants, now)


def allowance(limit: Limit, instants: deque[float] | list[float], now: float) -> Allowance:
    """Return what remains of `limit` after hits at `instants`, in ascending order."""
    used = sum(1 for instant in instants if instant + limit.seconds > now)
    resets_in = instants[-1] + limit.seconds - now if used else 0.0
    return Allowance(limit, max(0, limit.max_hits - used), resets_in)
