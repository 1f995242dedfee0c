"""`leaderboard jobs`: list the background jobs, and run one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.terminal.errors import CommandError
from app.cli.terminal.output import console, examples, help_without_command

if TYPE_CHECKING:
    from app.wiring import App


def add_to(program: typer.Typer) -> None:
    """Register the commands with the program."""
    group = typer.Typer(
        help="List the background jobs, or run one now.",
        callback=help_without_command,
        invoke_without_command=True,
    )
    group.command("list", epilog=examples("leaderboard jobs list"))(show)
    group.command("run", epilog=examples("leaderboard jobs run reconcile"))(run)
    program.add_typer(group, name="jobs")


def show() -> None:
    """List the background jobs, how often the service runs each of them, and the time-out of a run."""
    from rich.table import Table

    from app.cli.process.open_services import with_services

    async def work(app: App) -> list[tuple[str, float, float]]:
        return [(job.name, job.interval, job.timeout) for job in app.jobs.all]

    table = Table("Job", "Every", "Time-out", box=None)
    for name, interval, timeout in with_services(work):
        table.add_row(name, f"{interval:g} s", f"{timeout:g} s")
    console().print(table)


def run(
    name: Annotated[str, typer.Argument(help="The name of the job, as printed by `leaderboard jobs list`.")],
) -> None:
    """Run a job once, now. This is safe while the service is running, even if it runs the same job."""
    from app.cli.process.open_services import with_services
    from app.domain.errors import ServiceUnavailable
    from app.stores.redis_caller import RedisUnreachable

    async def work(app: App) -> None:
        names = [job.name for job in app.jobs.all]
        if name not in names:
            raise CommandError(f"there is no job {name}: it must be one of {', '.join(names)}")
        try:
            await app.jobs.run_one(name)
        except RedisUnreachable as error:
            raise CommandError(f"{name}: Redis does not answer: {error}") from error
        except ServiceUnavailable as error:
            raise CommandError(f"{name}: PostgreSQL does not answer: {error.__cause__ or error}") from error

    with console(stderr=True).status(f"Running {name}"):
        with_services(work)
    console().print(f"{name}: done")
