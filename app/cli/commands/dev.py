"""`leaderboard dev`: run the whole service on one machine, without any set-up."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from app.cli.terminal.errors import CommandError
from app.cli.terminal.output import console, examples
from app.domain.catalogue.catalogue import DEFAULT_CATEGORY

if TYPE_CHECKING:
    from rich.console import Console

    from app.config import Settings

TOKEN_SECONDS = 12 * 3600

# In development every player has the same address: what is allowed to one address must be enough for a crowd. The
# limits of each user stay as they are.
DEV_RATE_LIMITS = {
    "rate_limit_issue_per_address": 30_000,
    "rate_limit_submit_per_address": 30_000,
    "rate_limit_anonymous_per_address": 3_000,
    "rate_limit_block_overruns": 10_000,
}


def add_to(program: typer.Typer) -> None:
    """Register the command."""
    program.command(epilog=examples("leaderboard dev", "PORT=8001 leaderboard dev"))(dev)


def dev() -> None:
    """Run a development server with its own PostgreSQL and Redis, demo players and a demo access token.

    `make run` calls this. Set DATABASE_URL and REDIS_URL to use other data stores, HOST and PORT to listen elsewhere.
    Ctrl-C stops everything that was started. The data is kept in .data/.
    """
    from app.cli.process.listening import bind
    from app.cli.process.signals import stoppable
    from app.config import load_settings

    settings = load_settings()
    if settings.is_production:
        raise CommandError("`dev` must not be used in production: use `leaderboard serve`")
    try:
        with stoppable(), bind(settings.host, settings.port) as listener:
            _run(settings, listener)
    except KeyboardInterrupt:
        console(stderr=True).print("Stopped")


def _run(given: Settings, listener: socket.socket) -> None:
    from app.cli.process.stores import migrated_stores
    from app.cli.process.web_build import building
    from app.telemetry.logging import configure_logging

    out = console(stderr=True)
    out.print("Starting PostgreSQL and Redis")
    with migrated_stores(given, upgrading=True) as found:
        chosen = found.model_fields_set
        settings = found.model_copy(update={name: most for name, most in DEV_RATE_LIMITS.items() if name not in chosen})
        configure_logging(settings.log_level, json=False)
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        asyncio.run(_populate(settings, out))
        with building(lambda line: out.print(line, style="dim", markup=False, soft_wrap=True)):
            _serve(settings, listener)


async def _populate(settings: Settings, out: Console) -> None:
    """Add demo players to an empty database."""
    from app.wiring import open_app

    async with open_app(settings) as app:
        seeded = await app.seeding.seed_demo(settings.jwt_issuer)
        if seeded.users:
            out.print(f"Adding {seeded.users} demo players")
            await app.rebuild.rebuild(app.catalogue.current.category(DEFAULT_CATEGORY), force=True)


def _serve(settings: Settings, listener: socket.socket) -> None:
    from app.cli.commands.token import mint_token
    from app.cli.process.listening import url_of
    from app.cli.terminal.welcome import welcome
    from app.server import Server, config

    url = url_of(listener)

    def greet() -> None:
        token = None if settings.jwt_jwks_url else mint_token(settings, "ada", ttl=TOKEN_SECONDS)
        text = welcome(url, token, leaderboard=_called(), default_port=settings.port == 8000)
        console().print(text, soft_wrap=True)

    Server(config(settings), greet).run([listener])


def _called() -> str:
    """How to call the program from the folder the user is in."""
    return ".venv/bin/leaderboard" if sys.prefix == str(Path.cwd() / ".venv") else "leaderboard"
