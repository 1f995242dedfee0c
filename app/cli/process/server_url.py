"""Choose the server that a command connects to."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import typer

from app.cli.process.data_folder import published_url


def server_url(given: str | None) -> str:
    """Return the URL of the server, without a path.

    It is the first of these: `given`, HOST and PORT in the environment, the development server that is running in this
    folder, the settings.

    Raises:
        typer.BadParameter: `given` is not a URL of HTTP.
    """
    if given is not None:
        parts = urlsplit(given)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise typer.BadParameter(f"{given!r} is not a URL: it must be like http://127.0.0.1:8000")
        return f"{parts.scheme}://{parts.netloc}"
    if not os.environ.keys() & {"HOST", "PORT"} and (published := published_url()) is not None:
        return published
    from app.config import load_settings

    settings = load_settings()
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - read, not bound
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
