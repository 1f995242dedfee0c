"""URLs of PostgreSQL as providers and tools write them."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

_SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")
_URL = re.compile(
    r"(?P<scheme>[^:]+)://(?:(?P<user>[^:@/?]*)(?::(?P<password>[^@/?]*))?@)?(?P<hosts>[^/?@]*)"
    r"(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?"
)
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.%]+)\]|(?P<name>[^:\[\]]*))(?::(?P<port>[0-9]{1,5}))?")
_PASSED_ON = (
    "sslcert", "sslkey", "sslcrl", "sslpassword", "ssl_min_protocol_version", "ssl_max_protocol_version",
    "sslnegotiation", "passfile",
)  # fmt: skip
_UNDERSTOOD = (
    "application_name", "channel_binding", "dbname", "host", "password", "pgbouncer", "port", "sslmode", "sslrootcert",
    "target_session_attrs", "user", *_PASSED_ON,
)  # fmt: skip
_ESCAPES = "/ ? and @ in a password are written as %2F %3F and %40"
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_TARGETS = ("any", "primary", "standby", "prefer-standby", "read-write", "read-only")
_ALIASES = {"ssl": "sslmode", "database": "dbname"}
_REMEDIES = {
    "connect_timeout": "set DB_TIMEOUT",
    "options": "set such defaults with ALTER ROLE … SET",
    "prepared_statement_cache_size": "remove it: a pooler is detected",
    "statement_cache_size": "remove it: a pooler is detected",
    "service": "give the host, the user and the database",
}


class InvalidDatabaseUrl(ValueError):
    """A URL of PostgreSQL cannot be used. The message is one line, without any password."""


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """The address of a database: one server, or several of which one is the primary.

    Attributes:
        hosts: Host and port of each server; a host that begins with `/` is the folder of a Unix socket.
        user: The role; None for that of the environment.
        password: The password; None for that of the environment, or of the file of passwords.
        database: The name of the database; None for that of the role.
        target: Which kind of server may be used, as libpq's `target_session_attrs`.
        application_name: The name that the URL asks for.
        tls: Parameters about TLS and about the file of passwords, as libpq names them.
        uses_system_roots: Whether the certificate is checked with the roots of the operating system.
    """

    hosts: tuple[tuple[str, int], ...]
    user: str | None
    password: str | None = field(repr=False)
    database: str | None
    target: str
    application_name: str | None
    tls: tuple[tuple[str, str], ...]
    uses_system_roots: bool = False

    @property
    def label(self) -> str:
        """The hosts and ports, which may be printed."""
        return ",".join(f"{host}:{port}" for host, port in self.hosts)

    def arguments(self, host: str, port: int) -> dict[str, Any]:
        """Return the arguments of `asyncpg.connect` for one of the hosts."""
        arguments: dict[str, Any] = {
            "dsn": f"postgresql://?{urlencode(self.tls)}" if self.tls else None,
            "host": host,
            "port": port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "target_session_attrs": self.target,
        }
        if self.uses_system_roots:
            arguments["ssl"] = ssl.create_default_context()
        return arguments


def parse_database_url(text: str) -> DatabaseUrl:
    """Parse a URL, such as `postgresql://user:password@host1,host2/database?sslmode=verify-full`.

    With several hosts, the one that accepts writes is used, unless `target_session_attrs` says otherwise.

    Raises:
        InvalidDatabaseUrl: The URL cannot be used.
    """
    match = _URL.fullmatch(text.strip())
    if match is None:
        raise InvalidDatabaseUrl(f"must have the form postgresql://user:password@host:5432/database; {_ESCAPES}")
    if match["scheme"] not in _SCHEMES:
        raise InvalidDatabaseUrl("must begin with postgresql://")
    query = _parse_query(match["query"] or "")
    hosts = _parse_hosts(match["hosts"] or "", query.get("host"), query.get("port"))
    target = query.get("target_session_attrs", "read-write" if len(hosts) > 1 else "any")
    _require_one_of("target_session_attrs", target, _TARGETS)
    mode = query.get("sslmode")
    roots = query.get("sslrootcert")
    uses_system_roots = roots == "system"
    if mode is not None:
        mode = "require" if mode.lower() == "true" else "disable" if mode.lower() == "false" else mode
        _require_one_of("sslmode", mode, _SSL_MODES)
    if uses_system_roots and mode not in (None, "verify-full"):
        raise InvalidDatabaseUrl("sslmode must be verify-full with sslrootcert=system")
    default_roots = Path("~/.postgresql/root.crt").expanduser()
    if mode in ("verify-ca", "verify-full") and roots is None and not default_roots.exists():
        raise InvalidDatabaseUrl(
            f"sslmode={mode} needs sslrootcert=FILE, or sslrootcert=system for the certificates of the system"
        )
    tls = {name: query[name] for name in _PASSED_ON if name in query}
    for name in ("sslcert", "sslkey", "sslcrl", "sslrootcert"):
        if (path := query.get(name)) and not (name == "sslrootcert" and uses_system_roots) and not Path(path).is_file():
            raise InvalidDatabaseUrl(f"{name} must be a readable file, and {path} is none")
    if not uses_system_roots:
        tls |= {name: value for name, value in (("sslmode", mode), ("sslrootcert", roots)) if value is not None}
    return DatabaseUrl(
        hosts=hosts,
        user=query.get("user") or _decode(match["user"]),
        password=query.get("password") or _decode(match["password"]),
        database=query.get("dbname") or _decode(match["database"]),
        target=target,
        application_name=query.get("application_name"),
        tls=tuple(tls.items()),
        uses_system_roots=uses_system_roots,
    )


def _parse_query(text: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, strict_parsing=True, keep_blank_values=True) if text else []
    except ValueError:
        raise InvalidDatabaseUrl("its part after ? must consist of name=value, joined by &") from None
    query = {_ALIASES.get(name, name): value for name, value in pairs}
    for name in query:
        if name in _REMEDIES:
            raise InvalidDatabaseUrl(f"the parameter {name} is not supported: {_REMEDIES[name]}")
        if name not in _UNDERSTOOD:
            raise InvalidDatabaseUrl(f"the parameter {name} is not supported (supported: {', '.join(_UNDERSTOOD)})")
    if query.get("channel_binding", "prefer") not in ("prefer", "disable"):
        raise InvalidDatabaseUrl("channel_binding=require is not supported: remove it, and use sslmode=verify-full")
    return query


def _parse_hosts(netloc: str, more: str | None, ports: str | None) -> tuple[tuple[str, int], ...]:
    """Return host and port of each server. Hosts in the query, as for a Unix socket, come instead of the others."""
    hosts: list[tuple[str, int | None]] = []
    for part in (more if more else netloc or "localhost").split(","):
        if part.startswith("/"):
            hosts.append((part, None))
            continue
        match = _HOST.fullmatch(unquote(part))
        if match is None or not (match["v6"] or match["name"]):
            raise InvalidDatabaseUrl(f"each host must have the form host, host:port or [IPv6 address]:port; {_ESCAPES}")
        hosts.append((match["v6"] or match["name"], int(match["port"]) if match["port"] else None))
    given = [int(port) if port.isdigit() else 0 for port in ports.split(",")] if ports else [5432]
    if len(given) not in (1, len(hosts)):
        raise InvalidDatabaseUrl("port must be one number, or one for each host")
    defaults = given * len(hosts) if len(given) == 1 else given
    found = tuple((host, port if port is not None else default) for (host, port), default in zip(hosts, defaults))  # noqa: B905
    if not all(1 <= port <= 65535 for _, port in found):
        raise InvalidDatabaseUrl("each port must be between 1 and 65535")
    return found


def _require_one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidDatabaseUrl(f"{name} must be one of {', '.join(allowed)}")


def _decode(text: str | None) -> str | None:
    return unquote(text) if text else None
