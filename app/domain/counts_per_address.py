"""Networks: whom a limit per address counts together."""

from __future__ import annotations

from collections import Counter

from app.domain.addresses import aggregate_of

SITE_FACTOR = 4
"""How many times the limit of one address all addresses of a site may use together: a /48 has 65,536 of them."""


class AddressCounts:
    """Counts what is open per address, and per site of IPv6 addresses together.

    Addresses are keys as `address_key` returns them: an IPv4 address, or the /64 network of an IPv6 address.
    """

    def __init__(self, max_per_address: int) -> None:
        self._max_per_address = max_per_address
        self._counts: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return how many addresses and sites have anything open."""
        return len(self._counts)

    def is_full(self, address: str) -> bool:
        """Whether nothing more may be opened from `address`."""
        site = aggregate_of(address)
        return self._counts[address] >= self._max_per_address or (
            site is not None and self._counts[site] >= SITE_FACTOR * self._max_per_address
        )

    def add(self, address: str) -> None:
        """Count one more."""
        for key in (address, aggregate_of(address)):
            if key is not None:
                self._counts[key] += 1

    def remove(self, address: str) -> None:
        """Count one less."""
        for key in (address, aggregate_of(address)):
            if key is not None:
                self._counts[key] -= 1
                if self._counts[key] <= 0:
                    del self._counts[key]
