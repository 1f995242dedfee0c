"""Whom limits per address count together."""

from __future__ import annotations

from app.domain.counts_per_address import AddressCounts


def test_counts_that_are_zero_are_not_kept() -> None:
    counts = AddressCounts(1)
    for address in ("192.0.2.1", "2001:db8:1:2::/64", "2001:db8:1:3::/64"):
        assert not counts.is_full(address)
        counts.add(address)
        assert counts.is_full(address)
    assert len(counts) == 4
    for address in ("192.0.2.1", "2001:db8:1:2::/64", "2001:db8:1:3::/64"):
        counts.remove(address)
    assert len(counts) == 0
