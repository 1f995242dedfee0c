"""Checks of URLs, origins and host names. Each returns what is wrong with a value, or None if nothing is."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")
"""The schemes of REDIS_URL. Those with a second `s` use TLS."""

REDIS_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
"""Parameters of REDIS_URL that name files: the certificate authorities, and the client's certificate and key."""

REDIS_PARAMETERS = (
    "client_name", "db", "password", "protocol", "sentinel_password", "sentinel_ssl", "sentinel_username",
    "ssl_cert_reqs", "ssl_check_hostname", *REDIS_TLS_FILES, "username",
)  # fmt: skip
"""The parameters of REDIS_URL, after its `?`."""


def redis_url_problem(url: str) -> str | None:
    """Return what is wrong with a URL of Redis, without its password; None if nothing is.

    Its forms are `redis://user:password@host:port/database`, with several `host:port` for a cluster;
    `unix:///path`; and `redis+sentinel://user:password@host:port,host:port/service/database`.
    """
    parts = urlsplit(url)
    if parts.scheme not in REDIS_SCHEMES:
        return f"must begin with one of {', '.join(f'{scheme}://' for scheme in REDIS_SCHEMES)}"
    if problem := _redis_parameter_problem(parts.scheme, dict(parse_qsl(parts.query, keep_blank_values=True))):
        return problem
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


def _redis_parameter_problem(scheme: str, parameters: dict[str, str]) -> str | None:
    for name, value in parameters.items():
        if name not in REDIS_PARAMETERS:
            return f"the parameter {name} is not supported (supported: {', '.join(REDIS_PARAMETERS)})"
        if name.startswith("ssl_") and not scheme.startswith("rediss"):
            return f"must begin with rediss:// or rediss+sentinel:// for the parameter {name}"
        if name in REDIS_TLS_FILES and not Path(value).is_file():
            return f"{name} must be a readable file, and {value} is none"
    return None


def http_url_problem(url: str) -> str | None:
    """Return what is wrong with the URL of a server that is called by HTTP; None if nothing is."""
    try:
        parts = urlsplit(url)
        is_complete = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_complete = False
    if not is_complete or parts.scheme not in ("http", "https") or any(char.isspace() for char in url):
        return "must be a URL such as https://host/path"
    return None


def sentry_dsn_problem(dsn: str) -> str | None:
    """Return what is wrong with a DSN of Sentry; None if nothing is."""
    if http_url_problem(dsn) or not urlsplit(dsn).username or not urlsplit(dsn).path.strip("/"):
        return "must be a DSN of Sentry: https://KEY@HOST/PROJECT"
    return None


def origin_problem(origin: str) -> str | None:
    """Return why pages cannot have this origin; None if they can, or if it is `*`."""
    if origin == "*":
        return None
    if origin.lower().startswith(("file:", "null")):
        return (
            f"`{origin}` cannot be allowed: it is the origin of every local file or sandboxed page. Serve the page "
            "over HTTP, or allow `*`"
        )
    try:
        parts = urlsplit(origin)
        is_origin = bool(parts.scheme and parts.hostname) and "://" in origin and (parts.port is None or parts.port > 0)
    except ValueError:
        is_origin = False
    if not is_origin or parts.path not in ("", "/") or parts.query or parts.username:
        return f"`{origin}` must have the form https://host or https://host:port, or be `*`"
    return None


def host_problem(host: str) -> str | None:
    """Return why no `Host` header can have this name; None if one can, or if it is `*`."""
    name = host.partition("]")[2] if host.startswith("[") else host
    if "/" in name or ":" in name or "*" in name.removeprefix("*") or any(char.isspace() for char in name):
        return f"`{host}` must be a name without scheme and port, such as example.org, *.example.org or [::1]"
    return None
