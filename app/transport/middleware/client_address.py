"""The address of a client behind proxies.

Only `X-Forwarded-For` is read. Reading `Forwarded` as well would let clients forge their address: a proxy rewrites
the header it knows and passes the other one through unchanged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

from app.domain.addresses import UNIX_SOCKET

Address = IPv4Address | IPv6Address

# An address has at most 45 characters; the rest is for brackets, quotes, a zone and a port.
MAX_HOP_LENGTH = 80

SUBSCRIBER_PREFIX = (1 << 128) - (1 << 64)


class TrustedProxies(NamedTuple):
    """The proxies whose `X-Forwarded-For` header is trusted."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix_socket: bool = False

    @classmethod
    def of(cls, names: Iterable[str]) -> TrustedProxies:
        """Parse addresses, CIDR blocks and the word "unix". Raises ValueError naming the first invalid one."""
        listed = [name.strip() for name in names if name.strip()]
        return cls(
            tuple(ip_network(name, strict=False) for name in listed if name != UNIX_SOCKET),
            UNIX_SOCKET in listed,
        )

    def trusts(self, address: Address | None) -> bool:
        """Return whether a hop is a trusted proxy; None is a peer on a unix socket."""
        if address is None:
            return self.unix_socket
        return any(address in network for network in self.networks)


def client_address(scope: Mapping[str, Any], trusted: TrustedProxies) -> str:
    """Return the key by which limits count a client, see `address_key`.

    It is that of the rightmost hop that is not a trusted proxy. Hops to the left of it were written by the client and
    are ignored, as are those to the left of an invalid hop.
    """
    client = scope.get("client")
    peer = parse_address(client[0]) if client else None
    if not trusted.trusts(peer):
        return address_key(peer)
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    return address_key(_find_rightmost_untrusted(peer, forwarded.decode("latin-1").split(","), trusted))


def _find_rightmost_untrusted(peer: Address | None, hops: Sequence[str], trusted: TrustedProxies) -> Address | None:
    nearest = peer
    for hop in reversed(hops):
        address = parse_address(hop)
        if address is None:
            break
        nearest = address
        if not trusted.trusts(address):
            break
    return nearest


@lru_cache(maxsize=4096)  # a connection brings the same one with each of its requests
def parse_address(text: str) -> Address | None:
    """Parse a hop, without port, brackets, quotes or zone, IPv4-mapped IPv6 as IPv4. Returns None if it is invalid."""
    if len(text) > MAX_HOP_LENGTH:
        return None
    bare = text.strip().strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def address_key(address: Address | None) -> str:
    """Return one key per subscriber line: an IPv4 address, or the /64 network of an IPv6 address."""
    if address is None:
        return UNIX_SOCKET
    if isinstance(address, IPv4Address):
        return str(address)
    return f"{IPv6Address(int(address) & SUBSCRIBER_PREFIX)}/64"
