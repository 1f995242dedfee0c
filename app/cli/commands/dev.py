"""`leaderboard dev`: run the whole service on one machine, without configuration."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from app.cli.terminal.errors import CommandError
from app.cli.terminal.output import console, examples
from app.domain.catalogue.catalogue import DEFAULT_CATEGORY

if TYPE_CHECKING:
    from rich.console import Console

    from app.config import Settings

DEMO_TOKEN_LIFETIME = 12 * 3600
"""Seconds."""

# In development all players have the same address, so the limits per address must suffice for all of them. The limits
# per user stay as they are.
DEV_RATE_LIMITS = {
    "rate_limit_issue_per_address": 30_000,
    "rate_limit_submit_per_address": 30_000,
    "rate_limit_query_per_address": 60_000,
    "rate_limit_anonymous_per_address": 3_000,
    "max_running_operations_per_address": 1000,
    "rate_limit_block_overruns": 10_000,
}


def add_to(program: typer.Typer) -> None:
    """Register the command with the program."""
    program.command(epilog=examples("leaderboard dev", "PORT=8001 leaderboard dev"))(dev)


def dev() -> None:
    """Run a development server with its own PostgreSQL and Redis, demo players and a demo access token.

    `make run` calls this. Set DATABASE_URL and REDIS_URL to use other data stores, HOST and PORT to listen on another
    address. Ctrl-C stops everything that was started. The data is kept in .data/.
    """
    from app.cli.process.listening import bind
    from app.cli.process.signals import stoppable
    from app.cli.process.unknown_settings import warn_of_unknown_settings
    from app.config import load_settings

    warn_of_unknown_settings()
    settings = load_settings()
    if settings.is_production:
        raise CommandError("`dev` must not be used in production: use `leaderboard serve`")
    try:
        with stoppable(), bind(settings.host, settings.port) as listener:
            _run(settings, listener)
    except KeyboardInterrupt:
        console(stderr=True).print("Stopped")


def _run(given: Settings, listener: socket.socket) -> None:
    from app.cli.process.data_folder import publish_url
    from app.cli.process.listening import url_of
    from app.cli.process.stores import migrated_stores
    from app.cli.process.web_build import build_web_page
    from app.telemetry.logging import configure_logging

    out = console(stderr=True)
    with ExitStack() as stack:
        out.print("Starting PostgreSQL and Redis")
        with out.status("The first start takes longer, because it creates the database"):
            found = stack.enter_context(migrated_stores(given, upgrading=True))
            settings = _with_dev_rate_limits(found)
            # Without LOG_LEVEL, routine messages would push the welcome text off the screen.
            level = settings.log_level if "log_level" in settings.model_fields_set else "WARNING"
            configure_logging(level, json=False)
            logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
            asyncio.run(_add_demo_players(settings, out))
        url = url_of(listener)
        is_published = stack.enter_context(publish_url(url))
        stack.enter_context(build_web_page(lambda line: out.print(line, style="dim", markup=False, soft_wrap=True)))
        _serve(settings, listener, url, is_published)


def _with_dev_rate_limits(settings: Settings) -> Settings:
    limits = {name: limit for name, limit in DEV_RATE_LIMITS.items() if name not in settings.model_fields_set}
    return settings.model_copy(update=limits)


async def _add_demo_players(settings: Settings, out: Console) -> None:
    """Add demo players to an empty database."""
    from app.wiring import open_app

    async with open_app(settings) as app:
        seeded = await app.seeding.seed_demo(settings.issuers[0].name)
        if seeded.users:
            out.print(f"Adding {seeded.users} demo players")
            await app.rebuild.rebuild(app.catalogue.current.category(DEFAULT_CATEGORY), force=True)


def _serve(settings: Settings, listener: socket.socket, url: str, is_published: bool) -> None:
    from app.cli.commands.token import mint_token
    from app.cli.terminal.welcome import welcome_text
    from app.server import Server, config

    def print_welcome() -> None:
        token = None if settings.own_issuer is None else mint_token(settings, "ada", ttl=DEMO_TOKEN_LIFETIME)
        text = welcome_text(url, token, leaderboard=_program_name(), is_published=is_published)
        console().print(text, soft_wrap=True)

    Server(config(settings), print_welcome).run([listener])


def _program_name() -> str:
    """Return the command by which the program is called in the current folder."""
    return ".venv/bin/leaderboard" if sys.prefix == str(Path.cwd() / ".venv") else "leaderboard"
