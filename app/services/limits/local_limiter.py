"""The rate limiter of one process, for when Redis is away: stricter, never none."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from app.domain.rate_limits import ALLOWED, Allowance, BlockingRule, Decision, Hit, Limit, SlidingWindow

OVERRUNS = "overruns"


class LocalLimiter:
    """Judges like the script in Redis, by halves of the limits: two processes together let through no more than it.

    It remembers the accounts used last; with the limit of everybody together that is a bound in time as well.
    """

    def __init__(self, blocking: BlockingRule, monotonic: Callable[[], float], *, accounts: int = 50_000) -> None:
        """`accounts`: how many windows, and how many blocks, are kept."""
        self._blocking = blocking
        self._overruns = Limit(OVERRUNS, OVERRUNS, blocking.overruns, blocking.within)
        self._monotonic = monotonic
        self._accounts = accounts
        self._windows: OrderedDict[tuple[str, str], SlidingWindow] = OrderedDict()
        self._blocks = Blocks(monotonic, accounts)

    def judge(self, hit: Hit) -> Decision:
        """Count the hit, or refuse it."""
        blocked = self._blocks.left(hit.address)
        if blocked:
            return Decision(blocked)
        now = self._monotonic()
        windows = [self._window(charge.limit.halved(), charge.subject) for charge in hit.charges]
        waits = [window.wait(now, charge.cost) for window, charge in zip(windows, hit.charges, strict=True)]
        longest = max(waits)
        if any(waits[:-1]) and self._overrun(hit.address, now):
            return Decision(max(longest, self._blocking.seconds))
        if longest > 0:
            return Decision(longest, hit.charges[waits.index(longest)].limit.halved())
        for window, charge in zip(windows, hit.charges, strict=True):
            window.add(now, charge.cost)
        return ALLOWED

    def allowance(self, limit: Limit, subject: str) -> Allowance:
        """What is left of the half of `limit`."""
        return self._window(limit.halved(), subject).allowance(self._monotonic())

    def _overrun(self, address: str, now: float) -> bool:
        """Count an overrun. Returns whether the address is blocked from now on."""
        window = self._window(self._overruns, address)
        window.add(now, 1)
        if window.wait(now, 1) == 0:
            return False
        self._blocks.add(address, self._blocking.seconds)
        del self._windows[OVERRUNS, address]
        return True

    def _window(self, limit: Limit, subject: str) -> SlidingWindow:
        account = (limit.name, subject)
        window = self._windows.get(account)
        if window is None:
            window = self._windows[account] = SlidingWindow(limit)
            if len(self._windows) > self._accounts:
                self._windows.popitem(last=False)
        else:
            self._windows.move_to_end(account)
        return window


class Blocks:
    """Which addresses are blocked, and for how long: a bounded memory that may forget the oldest."""

    def __init__(self, monotonic: Callable[[], float], capacity: int) -> None:
        self._monotonic = monotonic
        self._capacity = capacity
        self._until: OrderedDict[str, float] = OrderedDict()

    def add(self, address: str, seconds: float) -> None:
        """Block `address` from now on."""
        self._until[address] = self._monotonic() + seconds
        if len(self._until) > self._capacity:
            self._until.popitem(last=False)

    def left(self, address: str) -> float:
        """Seconds for which `address` is still blocked; 0 when it is not."""
        until = self._until.get(address)
        if until is None:
            return 0.0
        left = until - self._monotonic()
        if left > 0:
            return left
        del self._until[address]
        return 0.0
