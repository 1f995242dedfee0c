"""`leaderboard dev`: the whole service on one machine, with nothing to set up."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import typer

from app.cli.errors import CommandError
from app.cli.output import console, examples

if TYPE_CHECKING:
    from app.config import Settings

TOKEN_SECONDS = 12 * 3600


def add_to(program: typer.Typer) -> None:
    """Register the command."""
    program.command(epilog=examples("leaderboard dev", "PORT=8001 leaderboard dev"))(dev)


def dev() -> None:
    """Serve for development, with private PostgreSQL and Redis, demo players and a demo access token.

    What `make run` calls. DATABASE_URL and REDIS_URL replace the private servers; HOST and PORT say where to serve.
    Ctrl-C stops everything it started. The data stays in .data/.
    """
    from app.cli.listening import bind
    from app.cli.stopping import stoppable
    from app.config import load_settings

    settings = load_settings()
    if settings.is_production:
        raise CommandError("`dev` is for development: in production use `leaderboard serve`")
    try:
        with stoppable(), bind(settings.host, settings.port) as listener:
            _run(settings, listener)
    except KeyboardInterrupt:
        console(stderr=True).print("Stopped")


def _run(given: Settings, listener: socket.socket) -> None:
    from app.cli.stores import ensure_migrated, stores
    from app.cli.web_page import building

    out = console(stderr=True)
    out.print("Starting the stores")
    with stores(given) as settings:
        ensure_migrated(settings, private=True)
        with building(lambda line: out.print(line, style="dim", markup=False)):
            _serve(settings, listener)


def _serve(settings: Settings, listener: socket.socket) -> None:
    from app.cli.listening import url_of
    from app.cli.token import mint_token
    from app.cli.welcome import welcome
    from app.server import Server, config
    from app.telemetry.logging import configure_logging

    url = url_of(listener)
    configure_logging(settings.log_level, json=False)

    def greet() -> None:
        token = "" if settings.jwt_jwks_url else mint_token(settings, "ada", ttl=TOKEN_SECONDS)
        out = console()
        text = welcome(url, token, leaderboard=_called(), default_port=settings.port == 8000)
        out.print(text, soft_wrap=True)

    Server(config(settings), greet).run([listener])


def _called() -> str:
    """How to call the program from the folder the user is in."""
    return ".venv/bin/leaderboard" if sys.prefix.endswith(".venv") else "leaderboard"
