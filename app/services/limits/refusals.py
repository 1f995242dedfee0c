"""The requests of each address that were refused before they became operations, counted in the process."""

from __future__ import annotations

import math
from collections import OrderedDict

from app.domain.addresses import aggregate_of
from app.domain.errors import RateLimited
from app.domain.rate_limits import MINUTE
from app.runtime import Runtime
from app.services.limits.refusal_delay import RefusalDelay

MAX_ENTRIES = 50_000
"""How many networks are counted; those that were refused longest ago are evicted."""


class Refusals:
    """Counts refused requests per address in fixed windows of a minute, without any call to a store.

    Refusing a malformed request costs little, and less than one call to Redis, which is why these are counted here.
    """

    def __init__(
        self,
        max_refusals: int | None,
        aggregate_factor: int,
        runtime: Runtime,
        refusal_delay: RefusalDelay,
        *,
        capacity: int = MAX_ENTRIES,
    ) -> None:
        """Create a counter.

        Args:
            max_refusals: How many refused requests an address may send in a minute; None for any number.
            aggregate_factor: The /48 network of an IPv6 address may send this many times as many.
            runtime: The source of time.
            refusal_delay: What an address over the limit waits for its refusals.
            capacity: How many networks are counted.
        """
        self._max_refusals = max_refusals
        self._aggregate_factor = aggregate_factor
        self._monotonic = runtime.monotonic
        self._refusal_delay = refusal_delay
        self._capacity = capacity
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self.refused = 0
        """How many requests were refused because of those before them."""

    def add(self, address: str) -> None:
        """Count a refused request."""
        if self._max_refusals is None:
            return
        for network in (address, aggregate_of(address)):
            if network is not None:
                self._add(network)

    def retry_after(self, address: str) -> float:
        """Return the seconds until the requests of `address` are looked at again; 0 if they are now."""
        if not self._counts or self._max_refusals is None:
            return 0.0
        wait = self._wait(address, self._max_refusals)
        aggregate = aggregate_of(address)
        if aggregate is not None:
            wait = max(wait, self._wait(aggregate, self._max_refusals * self._aggregate_factor))
        return wait

    async def refuse_if_over(self, address: str) -> None:
        """Refuse an address that sent too many requests that were refused.

        Raises:
            RateLimited: It sent too many; after the delay of refusals.
        """
        wait = self.retry_after(address)
        if wait:
            self.refused += 1
            await self._refusal_delay.wait()
            raise RateLimited(math.ceil(wait), "Too many requests of your address could not be served.")

    def _add(self, network: str) -> None:
        now = self._monotonic()
        ends_at, count = self._counts.pop(network, (0.0, 0))
        self._counts[network] = (now + MINUTE, 1) if ends_at <= now else (ends_at, count + 1)
        if len(self._counts) > self._capacity:
            self._counts.popitem(last=False)

    def _wait(self, network: str, max_refusals: int) -> float:
        ends_at, count = self._counts.get(network, (0.0, 0))
        return max(0.0, ends_at - self._monotonic()) if count >= max_refusals else 0.0
