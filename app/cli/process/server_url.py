"""Where the server is that a command talks to."""

from __future__ import annotations

from urllib.parse import urlsplit

import typer


def server_url(given: str | None) -> str:
    """The address of the server, without a path: the one given, else that of the settings.

    Raises typer.BadParameter for one that is no web address.
    """
    if given is not None:
        parts = urlsplit(given)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise typer.BadParameter(f"{given!r} is not a URL: it must be like http://127.0.0.1:8000")
        return f"{parts.scheme}://{parts.netloc}"
    from app.config import load_settings

    settings = load_settings()
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - read, not bound
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
