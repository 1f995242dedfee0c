"""Whom limits per address count together."""

from __future__ import annotations

import pytest

from app.domain.networks import AddressCounts, site_of


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("192.0.2.1", None),
        ("unix", None),
        ("", None),
        ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("2001:db8::/64", "2001:db8::/48"),
    ],
)
def test_the_site_of_an_ipv6_network_is_its_48(address: str, site: str | None) -> None:
    assert site_of(address) == site


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
