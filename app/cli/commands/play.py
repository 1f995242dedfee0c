"""`leaderboard play`: simulate players, for demonstrations and load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.terminal.errors import FAILED
from app.cli.terminal.output import console, examples

if TYPE_CHECKING:
    from rich.console import RenderableType

    from app.cli.simulation.play_stats import PlayStats
    from app.cli.simulation.simulated_players import SimulatedPlayers

TOKEN_LIFETIME = 12 * 3600
"""Seconds."""


def add_to(program: typer.Typer) -> None:
    """Register the command with the program."""
    program.command(
        epilog=examples(
            "leaderboard play",
            "leaderboard play --players 200 --rate 50 --seconds 20",
            "leaderboard play --category arcade --url http://127.0.0.1:8001",
        )
    )(play)


def play(
    players: Annotated[int, typer.Option(min=1, max=100_000, help="The number of players.")] = 50,
    rate: Annotated[float, typer.Option(min=0.1, max=10_000, help="The number of actions to start per second.")] = 10.0,
    seconds: Annotated[float, typer.Option(min=0.1, help="How many seconds to play.")] = 30.0,
    category: Annotated[str, typer.Option(help="The id of the category to play in.")] = "global",
    url: Annotated[
        str | None, typer.Option(help="The URL of the server. Default: the server of this folder, else HOST and PORT.")
    ] = None,
) -> int:
    """Simulate players who use the public API: each action requests an action token and submits it.

    Actions whose value the game states are reported as a game's back end does. The demo players are among the
    players. Rate limits are a normal outcome: a player who exceeds one waits as long as the server asks. The exit code
    is 1 if there was any other error.
    """
    import asyncio

    from app.cli.commands.token import mint_token
    from app.cli.process.server_url import server_url
    from app.cli.simulation.play_stats import PlayStats
    from app.cli.simulation.simulated_players import SimulatedPlayer, SimulatedPlayers, player_names
    from app.config import load_settings
    from app.domain.users import Role

    settings = load_settings()
    stats = PlayStats()
    participants = [
        SimulatedPlayer(name, mint_token(settings, name, ttl=TOKEN_LIFETIME)) for name in player_names(players)
    ]
    server_token = mint_token(settings, "play-game-server", Role.SERVER, ttl=TOKEN_LIFETIME)
    simulated_players = SimulatedPlayers(server_url(url), participants, server_token, category, stats)
    try:
        asyncio.run(_run(simulated_players, stats, rate, seconds))
    finally:
        if stats.outcomes:
            console().print(_render(stats))
    return FAILED if stats.failures else 0


async def _run(simulated_players: SimulatedPlayers, stats: PlayStats, rate: float, seconds: float) -> None:
    from rich.live import Live

    out = console(stderr=True)
    if out.is_terminal:
        with Live(get_renderable=lambda: _render(stats), console=out, refresh_per_second=5, transient=True):
            await simulated_players.play(rate, seconds)
    else:
        await simulated_players.play(rate, seconds)


def _render(stats: PlayStats) -> RenderableType:
    from rich.table import Table

    table = Table("Outcome", "Actions", "", box=None)
    table.columns[1].justify = "right"
    for outcome, count in sorted(stats.outcomes.items(), key=lambda item: -item[1]):
        failed = outcome in stats.failures
        table.add_row(outcome, f"{count:,}", "failed" if failed else "", style="red" if failed else "")
    table.add_row("total", f"{stats.total:,}", f"{stats.total / stats.elapsed:.1f} per second", style="bold")
    for name, samples in stats.latencies.items():
        quantiles = "  ".join(
            f"{share:.0%} {samples.quantile(share) * 1000:.0f} ms" for share in (0.5, 0.95, 0.99, 1.0)
        )
        table.add_row(f"time to {name}", f"{samples.count:,}", quantiles, style="dim")
    return table
