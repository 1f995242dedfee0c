import pytest

from app.transport.middleware.client_address import TrustedProxies, client_address

PROXIES = TrustedProxies.of(["10.0.0.0/8", "fd00::/8", "192.0.2.7"])


def address(peer: str | None, *forwarded: str, trusted: TrustedProxies = PROXIES) -> str:
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in forwarded]
    return client_address({"client": (peer, 1234) if peer is not None else None, "headers": headers}, trusted)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # an untrusted peer is believed about nothing
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),  # what the client wrote itself stands left
        ("10.0.0.1", ["1.1.1.1, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["1.1.1.1", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),  # a header split over lines
        ("192.0.2.7", ["198.51.100.1"], "198.51.100.1"),
        ("192.0.2.8", ["198.51.100.1"], "192.0.2.8"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),  # nothing but our own hops: the farthest
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("10.0.0.1", ['"[2001:db8:1:2:3::9]:4711"'], "2001:db8:1:2::/64"),
        ("10.0.0.1", ["[2001:db8::1]"], "2001:db8::/64"),
        ("fd00::5", ["2001:db8:1:2:aaaa:bbbb:cccc:dddd"], "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", [], "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", [], "2001:db8:1:2::/64"),  # one subscriber, one key
        ("fe80::1%eth0", [], "fe80::/64"),
        ("::ffff:203.0.113.9", [], "203.0.113.9"),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["unknown"], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1, _hidden"], "10.0.0.1"),  # nothing is believed beyond what cannot be read
        ("10.0.0.1", ["198.51.100.1, garbage, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["198.51.100.1,"], "10.0.0.1"),
        ("10.0.0.1", ["999.1.1.1"], "10.0.0.1"),
        ("10.0.0.1", ["01.2.3.4"], "10.0.0.1"),
        ("10.0.0.1", ["\xff\xfe"], "10.0.0.1"),
        ("10.0.0.1", ["1" * 10_000], "10.0.0.1"),
        ("10.0.0.1", ["," * 10_000], "10.0.0.1"),
        ("testclient", [], "unix"),
        (None, ["198.51.100.1"], "unix"),
    ],
)
def test_the_client_is_the_rightmost_hop_that_is_not_ours(peer: str | None, forwarded: list[str], expected: str):
    assert address(peer, *forwarded) == expected


def test_a_unix_socket_is_believed_only_when_it_is_listed():
    assert address(None, "198.51.100.1", trusted=TrustedProxies.of(["unix"])) == "198.51.100.1"
    assert address(None, "198.51.100.1", trusted=TrustedProxies.of([])) == "unix"


def test_a_proxy_that_is_no_address_is_named():
    with pytest.raises(ValueError, match="nonsense"):
        TrustedProxies.of(["10.0.0.1", "nonsense"])
