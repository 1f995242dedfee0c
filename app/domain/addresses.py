"""Addresses: those by which limits count clients, and those of servers that are called."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Network, ip_address
from urllib.parse import urlsplit

UNIX_SOCKET = "unix"
"""Stands for a peer without an address: among the trusted proxies, and as the key of such a client."""

SUBSCRIBER_SUFFIX = "/64"
"""The end of the key of an IPv6 subscriber."""

AGGREGATE_PREFIX = 48
"""The length of the prefix that providers and tunnel brokers assign to one customer: 65 536 subscriber networks."""


@lru_cache(maxsize=4096)
def aggregate_of(address: str) -> str | None:
    """Return the /48 network around the /64 network of an IPv6 client; None for any other client.

    Args:
        address: The key of a client: an IPv4 address, the /64 network of an IPv6 address, or another name.
    """
    if not address.endswith(SUBSCRIBER_SUFFIX):
        return None
    return str(IPv6Network(address).supernet(new_prefix=AGGREGATE_PREFIX))


def is_encrypted_or_local(url: str) -> bool:
    """Return whether a server is called by HTTPS, or is on this machine and called by HTTP."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or ""))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
