"""The rate limiter of one process, used while Redis is not reachable."""

from __future__ import annotations

from collections import OrderedDict

from app.domain.rate_limits import ALLOWED, Allowance, BlockingRule, Decision, Hit, Limit, SlidingWindow
from app.runtime import Runtime

OVERRUNS = "overruns"
"""The name of the limit that counts the overruns of an address."""

MAX_ENTRIES = 50_000
"""How many windows, and how many blocks, a process keeps."""


class LocalLimiter:
    """Decides like the script in Redis, with half of each limit: two processes together stay within the limits.

    Windows used least recently are evicted. Together with the service-wide limit that bounds memory and time.
    """

    def __init__(self, blocking: BlockingRule, runtime: Runtime, *, capacity: int = MAX_ENTRIES) -> None:
        """Create a limiter without hits.

        Args:
            blocking: When an address is blocked.
            runtime: The source of time.
            capacity: How many windows, and how many blocks, are kept.
        """
        self._blocking = blocking
        self._overruns = Limit(OVERRUNS, OVERRUNS, blocking.max_overruns, blocking.window_seconds)
        self._monotonic = runtime.monotonic
        self._capacity = capacity
        self._windows: OrderedDict[tuple[str, str], SlidingWindow] = OrderedDict()
        self._blocks = Blocks(runtime, capacity)

    def check(self, hit: Hit) -> Decision:
        """Count the hit if it is within all limits; return the decision."""
        blocked = self._blocks.remaining_seconds(hit.address)
        if blocked:
            return Decision(blocked)
        now = self._monotonic()
        windows = [self._window(charge.limit.halved(), charge.subject) for charge in hit.charges]
        waits = [window.retry_after(now, charge.cost) for window, charge in zip(windows, hit.charges, strict=True)]
        longest = max(waits)
        if any(waits[:-1]) and self._count_overrun(hit.address, now):
            return Decision(max(longest, self._blocking.block_seconds))
        if longest > 0:
            return Decision(longest, hit.charges[waits.index(longest)].limit.halved())
        for window, charge in zip(windows, hit.charges, strict=True):
            window.add(now, charge.cost)
        return ALLOWED

    def allowance(self, limit: Limit, subject: str) -> Allowance:
        """Return what remains of half of `limit`."""
        return self._window(limit.halved(), subject).allowance(self._monotonic())

    def _count_overrun(self, address: str, now: float) -> bool:
        """Count an overrun; return whether the address is blocked from now on."""
        window = self._window(self._overruns, address)
        window.add(now, 1)
        if window.retry_after(now, 1) == 0:
            return False
        self._blocks.add(address, self._blocking.block_seconds)
        del self._windows[OVERRUNS, address]
        return True

    def _window(self, limit: Limit, subject: str) -> SlidingWindow:
        key = (limit.name, subject)
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = SlidingWindow(limit)
            if len(self._windows) > self._capacity:
                self._windows.popitem(last=False)
        else:
            self._windows.move_to_end(key)
        return window


class Blocks:
    """The blocked addresses that this process knows of. At most `capacity`; the oldest are evicted."""

    def __init__(self, runtime: Runtime, capacity: int = MAX_ENTRIES) -> None:
        self._monotonic = runtime.monotonic
        self._capacity = capacity
        self._until: OrderedDict[str, float] = OrderedDict()

    def add(self, address: str, seconds: float) -> None:
        """Block `address` for `seconds` from now on."""
        self._until[address] = self._monotonic() + seconds
        if len(self._until) > self._capacity:
            self._until.popitem(last=False)

    def remaining_seconds(self, address: str) -> float:
        """Return how long `address` is still blocked; 0 if it is not blocked."""
        until = self._until.get(address)
        if until is None:
            return 0.0
        remaining = until - self._monotonic()
        if remaining > 0:
            return remaining
        del self._until[address]
        return 0.0
