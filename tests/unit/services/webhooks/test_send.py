"""Which addresses may be called, and what URLs endpoints may have."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from app.domain.errors import BadUserInput
from app.domain.events.endpoint import clean_url
from app.services.webhooks.send import AddressRules, ForbiddenAddress


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "::1", "::ffff:127.0.0.1", "169.254.169.254", "10.0.0.1", "64:ff9b::7f00:1", "0.0.0.1",
     "2130706433", "fd00::1", "100.64.0.1", "2002:7f00:1::", "224.0.0.1", "ff0e::1", "fe80::1%lo", "192.168.1.1"],
)  # fmt: skip
async def test_an_address_outside_of_the_internet_is_forbidden(host: str) -> None:
    with pytest.raises(ForbiddenAddress):
        await AddressRules(()).resolve(host, 80)


@pytest.mark.parametrize("host", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1"])
async def test_an_address_in_the_internet_is_allowed(host: str) -> None:
    assert await AddressRules(()).resolve(host, 443)


async def test_an_allowed_network_allows_its_addresses_and_no_others() -> None:
    rules = AddressRules([ip_network("10.1.0.0/16"), ip_network("::1/128")])
    assert await rules.resolve("10.1.2.3", 80) == "10.1.2.3"
    assert await rules.resolve("::1", 80) == "::1"
    for host in ("10.2.0.1", "127.0.0.1"):
        with pytest.raises(ForbiddenAddress):
            await rules.resolve(host, 80)


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/", "https://", "https://user:secret@example.com/", "https://exa mple.com/", "https://a/#b",
     "https://example.com:99999/", "https://ex\u00e4mple.com/", "https://example.com/" + "x" * 2000],
)  # fmt: skip
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadUserInput, match="`url` must"):
        clean_url(url, encrypted_only=False)


def test_an_endpoint_must_be_encrypted_where_that_is_asked_for() -> None:
    assert clean_url("http://example.com/", encrypted_only=False) == "http://example.com/"
    with pytest.raises(BadUserInput, match="https://"):
        clean_url("http://example.com/", encrypted_only=True)
