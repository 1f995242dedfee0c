"""Rate limits: how much a caller, an address and everybody together may do in any stretch of time."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from app.domain.errors import BadUserInput
from app.domain.users import Caller, Role

MINUTE = 60


class Activity(StrEnum):
    """What a field of an operation counts as."""

    ISSUE = "issue"
    SUBMIT = "submit"
    QUERY = "query"


class Limit(NamedTuple):
    """At most `most` hits in any `seconds` in a row. `name` is unique; `what` says in the plural what is counted."""

    name: str
    what: str
    most: int
    seconds: int

    def halved(self) -> Limit:
        """The stricter limit of a process that counts alone: two of those together keep to this one."""
        return self._replace(most=max(1, self.most // 2))


class Charge(NamedTuple):
    """`cost` hits to be counted against `limit` on the account of `subject`."""

    limit: Limit
    subject: str
    cost: int


class Hit(NamedTuple):
    """One request. It is counted in full, or refused and not counted at all.

    The last charge is against the limit of everybody together: being over that one alone is nobody's fault.
    """

    address: str
    charges: tuple[Charge, ...]


class Decision(NamedTuple):
    """Whether a hit passes: it does when `wait`, in seconds, is 0.

    A hit that is repeated `wait` seconds later passes, if nothing else was counted meanwhile. `limit` is the one that
    asks for the longest wait, or None when the address is blocked.
    """

    wait: float
    limit: Limit | None = None


ALLOWED = Decision(0.0)


class Allowance(NamedTuple):
    """What is left of a limit. After `resets_in` seconds without a hit all of it is there again."""

    limit: Limit
    remaining: int
    resets_in: float


class BlockingRule(NamedTuple):
    """An address with `overruns` refused hits within `within` seconds is refused everything for `seconds`."""

    overruns: int
    within: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits. Sliding windows: no stretch of time exceeds them, wherever it begins."""

    user: Mapping[Activity, Limit]
    address: Mapping[Activity, Limit]
    anonymous: Limit
    service_wide: Limit
    blocking: BlockingRule

    def hit(self, caller: Caller | None, address: str, costs: Mapping[Activity, int]) -> Hit:
        """What a request counts for. `caller` is None for an anonymous one; `costs` are fields per activity.

        A game back-end reports for thousands of players from one address: it answers to the common limit only.
        Raises BadUserInput for a request that could never pass, however long it waits.
        """
        total = sum(costs.values())
        if caller is None:
            charges = [_charge(self.anonymous, address, total)]
        elif caller.role is Role.SERVER:
            charges = []
        else:
            user = str(caller.user_id)
            charges = [_charge(self.user[activity], user, cost) for activity, cost in costs.items()]
            charges += [
                _charge(limit, address, cost)
                for activity, cost in costs.items()
                if (limit := self.address.get(activity)) is not None
            ]
        return Hit(address, (*charges, _charge(self.service_wide, "", total)))


def _charge(limit: Limit, subject: str, cost: int) -> Charge:
    if cost > limit.most:
        raise BadUserInput(f"A request must have at most {limit.most} {limit.what}.")
    return Charge(limit, subject, cost)


class SlidingWindow:
    """The instants of the last hits against one limit.

    That many are enough: `cost` more fit in when the hit that they push out of the log is older than the limit's
    stretch of time. Instants are seconds on any clock that does not go back.
    """

    __slots__ = ("_instants", "_limit")

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._instants: deque[float] = deque(maxlen=limit.most)

    def wait(self, now: float, cost: int) -> float:
        """Seconds until `cost` hits fit in; 0 when they do now. More hits than the limit allows never really do."""
        if cost > self._limit.most:
            return self._limit.seconds
        pushed_out = len(self._instants) - self._limit.most + cost - 1
        return max(0.0, self._instants[pushed_out] + self._limit.seconds - now) if pushed_out >= 0 else 0.0

    def add(self, now: float, cost: int) -> None:
        """Count `cost` hits."""
        self._instants.extend([now] * cost)

    def allowance(self, now: float) -> Allowance:
        """What is left."""
        return allowance(self._limit, self._instants, now)


def allowance(limit: Limit, instants: deque[float] | list[float], now: float) -> Allowance:
    """What is left of `limit` after hits at these `instants`, oldest first."""
    used = sum(1 for instant in instants if instant + limit.seconds > now)
    resets_in = instants[-1] + limit.seconds - now if used else 0.0
    return Allowance(limit, max(0, limit.most - used), resets_in)
