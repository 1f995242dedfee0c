"""`leaderboard serve`: run the server in production."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import typer

from app.cli.terminal.errors import FAILED
from app.cli.terminal.output import examples, print_note

if TYPE_CHECKING:
    from app.config import Settings


def add_to(program: typer.Typer) -> None:
    """Register the command with the program."""
    program.command(
        epilog=examples(
            "leaderboard migrate && leaderboard serve",
            "ENVIRONMENT=production HOST=0.0.0.0 WORKERS=4 leaderboard serve",
        )
    )(serve)


def serve() -> int:
    """Run the server with the settings from the environment or .env. All invalid settings are listed at once.

    DATABASE_URL and REDIS_URL must be set, and the database must be migrated. WORKERS processes share the port, and
    most of their memory; a worker that dies is replaced. SIGTERM shuts down gracefully within 10 seconds: running
    commits are completed, and WebSocket clients are told to reconnect.
    """
    from app.cli.process.optional_imports import import_lean

    import_lean()
    from app.cli.doctor.at_start import warn_at_start
    from app.cli.process.listening import bind
    from app.cli.process.signals import stoppable
    from app.cli.process.stores import ensure_migrated, ensure_supported_redis
    from app.cli.process.unknown_settings import warn_of_unknown_settings

    warn_of_unknown_settings()
    settings = _settings()
    try:
        with stoppable(), bind(settings.host, settings.port) as listener:
            ensure_supported_redis(settings)
            ensure_migrated(settings, timeout=settings.start_timeout)
            warn_at_start(settings)
            return _serve(settings, listener)
    except KeyboardInterrupt:
        return 0


def _settings() -> Settings:
    """Load the settings of a server.

    Raises:
        SettingsError: Settings are invalid or missing; it lists all of them.
    """
    from app.config import load_settings

    advice = "must be set (or use `leaderboard dev`, which starts private servers)"
    return load_settings({"database_url": advice, "redis_url": advice})


def _serve(settings: Settings, listener: socket.socket) -> int:
    from app.cli.process.listening import url_of
    from app.cli.process.workers import Workers, serve_alone

    if settings.workers == 1:
        serve_alone(settings, listener)
        return FAILED  # A server stops by a signal; if it stops without one, the log contains the reason.
    print_note(f"Serving {url_of(listener)} with {settings.workers} workers")
    return Workers(settings, listener).run()
