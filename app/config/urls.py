"""Checks of URLs."""

from __future__ import annotations

from urllib.parse import urlsplit

REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
"""The schemes of REDIS_URL. Those with a second `s` use TLS."""


def redis_url_problem(url: str) -> str | None:
    """Return what is wrong with a URL of Redis, without its password; None if nothing is.

    Its forms are `redis://user:password@host:port/database`, with several `host:port` for a cluster;
    `unix:///path`; and `redis+sentinel://user:password@host:port,host:port/service/database`.
    """
    parts = urlsplit(url)
    if parts.scheme not in REDIS_SCHEMES:
        return f"must begin with one of {', '.join(f'{scheme}://' for scheme in REDIS_SCHEMES)}"
    if parts.scheme == "unix":
        return None if parts.path else "must name the path of a socket: unix:///path"
    for server in parts.netloc.rpartition("@")[2].split(","):
        try:
            host, _ = urlsplit(f"//{server}").hostname, urlsplit(f"//{server}").port
        except ValueError:
            return "must have a number between 0 and 65535 as the port of each server"
        if not host:
            return "must name the host of each server"
    path = parts.path.strip("/").split("/")
    if parts.scheme.endswith("+sentinel"):
        if not path[0]:
            return "must name the master: redis+sentinel://host:26379,host:26379/mymaster"
        path = path[1:]
    if len(path) > 1 or (path and path[0] and not path[0].isdecimal()):
        return "must have a number as its database"
    return None
