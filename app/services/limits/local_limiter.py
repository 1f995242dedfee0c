"""The rate limiter of one process, used while Redis is not reachable."""

from __future__ import annotations

from collections import OrderedDict

from app.domain.rate_limits import ALLOWED, Allowance, Blockable, BlockingRule, Decision, Hit, Limit, SlidingWindow
from app.runtime import Runtime

OVERRUNS = "overruns"
"""The name of the limit that counts overruns."""

MAX_ENTRIES = 50_000
"""How many windows, and how many blocks, a process keeps."""


class LocalLimiter:
    """Decides like the script in Redis, with half of each limit: two processes together stay within the limits.

    Windows used least recently are evicted. Together with the service-wide limit that bounds memory and time.
    """

    def __init__(self, blocking: BlockingRule, runtime: Runtime, *, capacity: int = MAX_ENTRIES) -> None:
        """Create a limiter without hits.

        Args:
            blocking: How long overruns count, and a block lasts.
            runtime: The source of time.
            capacity: How many windows, and how many blocks, are kept.
        """
        self._blocking = blocking
        self._monotonic = runtime.monotonic
        self._capacity = capacity
        self._windows: OrderedDict[tuple[str, str], SlidingWindow] = OrderedDict()
        self._blocks = Blocks(runtime, capacity)

    def check(self, hit: Hit) -> Decision:
        """Count the hit if it is within all limits; return the decision."""
        for subject, _ in hit.blockables:
            blocked = self._blocks.remaining_seconds(subject)
            if blocked:
                return Decision(blocked, blocked=subject)
        now = self._monotonic()
        windows = [self._window(charge.limit.halved(), charge.subject) for charge in hit.charges]
        waits = [window.retry_after(now, charge.cost) for window, charge in zip(windows, hit.charges, strict=True)]
        longest = max(waits)
        overran = {charge.blockable for wait, charge in zip(waits, hit.charges, strict=True) if wait > 0}
        decision = ALLOWED
        for number, blockable in enumerate(hit.blockables):
            if number in overran and self._count_overrun(blockable, now) and not decision.blocked:
                decision = Decision(max(longest, self._blocking.block_seconds), blocked=blockable.subject)
        if decision.blocked:
            return decision
        if longest > 0:
            return Decision(longest, hit.charges[waits.index(longest)].limit.halved())
        for window, charge in zip(windows, hit.charges, strict=True):
            window.add(now, charge.cost)
        return ALLOWED

    def allowance(self, limit: Limit, subject: str) -> Allowance:
        """Return what remains of half of `limit`."""
        return self._window(limit.halved(), subject).allowance(self._monotonic())

    def _count_overrun(self, blockable: Blockable, now: float) -> bool:
        """Count an overrun; return whether the subject is blocked from now on."""
        subject, max_overruns = blockable
        window = self._window(Limit(OVERRUNS, OVERRUNS, max_overruns, self._blocking.window_seconds), subject)
        window.add(now, 1)
        if window.retry_after(now, 1) == 0:
            return False
        self._blocks.add(subject, self._blocking.block_seconds)
        del self._windows[OVERRUNS, subject]
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
    """The blocked users and networks that this process knows of. At most `capacity`; the oldest are evicted."""

    def __init__(self, runtime: Runtime, capacity: int = MAX_ENTRIES) -> None:
        self._monotonic = runtime.monotonic
        self._capacity = capacity
        self._until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def add(self, subject: str, seconds: float) -> None:
        """Block `subject` for `seconds` from now on."""
        self._until[subject] = self._monotonic() + seconds
        if len(self._until) > self._capacity:
            self._until.popitem(last=False)

    def remaining_seconds(self, subject: str) -> float:
        """Return how long `subject` is still blocked; 0 if it is not blocked."""
        until = self._until.get(subject)
        if until is None:
            return 0.0
        remaining = until - self._monotonic()
        if remaining > 0:
            return remaining
        del self._until[subject]
        return 0.0
