"""`leaderboard backup` and `leaderboard restore`: backups of PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.terminal.errors import CommandError
from app.cli.terminal.output import console, examples, print_note, print_result

if TYPE_CHECKING:
    from app.cli.backups.make_backup import Made
    from app.cli.backups.server import BackedUpServer


class Kind(StrEnum):
    """The kinds of backups."""

    BASE = "base"
    DUMP = "dump"


def add_to(program: typer.Typer) -> None:
    """Register the commands with the program."""
    program.command(epilog=examples("leaderboard backup /backups", "leaderboard backup /backups --only dump"))(backup)
    program.command(
        epilog=examples(
            "leaderboard restore /backups /var/lib/postgresql/18/main --to 2026-11-30T14:55:00Z",
            "leaderboard restore /backups /var/lib/postgresql/18/main",
        )
    )(restore)


def backup(
    folder: Annotated[Path, typer.Argument(file_okay=False, help="The folder of the backups; created if missing.")],
    only: Annotated[Kind | None, typer.Option(help="Make only this one. By default both are made.")] = None,
    keep_days: Annotated[int, typer.Option(min=1, help="For how many days it must be possible to restore.")] = 30,
    tools: Annotated[
        Path | None, typer.Option(file_okay=False, exists=True, help="The folder of the programs of PostgreSQL.")
    ] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait until the archive has the base backup.")] = 60,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one program may take.")] = 6 * 3600,
) -> None:
    """Back up PostgreSQL: copy the cluster with pg_basebackup, dump the database with pg_dump, delete old backups.

    What was written is read back and checked. If one of them fails, the other is made all the same, and nothing is
    deleted. With the base backup and the write-ahead log, which PostgreSQL itself
    archives to FOLDER/wal, `leaderboard restore` goes back to any instant of the last days. The role of
    DATABASE_DIRECT_URL, or of DATABASE_URL if that is not set, needs the attribute REPLICATION. The result is recorded
    in the database, for the metrics of the service. Redis needs no backup: it is rebuilt from PostgreSQL.
    """
    from app.cli.backups.folder import BackupFolder
    from app.cli.backups.make_backup import make_base_backup, make_dump, require_archive
    from app.cli.backups.server import BackedUpServer
    from app.cli.backups.tools import Tools
    from app.cli.process.stores import open_settings_with_stores
    from app.telemetry.logging import configure_logging

    configure_logging("CRITICAL", json=False)
    backups, programs = BackupFolder(folder), Tools(tools, timeout)
    with open_settings_with_stores() as settings, backups.locked():
        server = BackedUpServer(settings)

        def make_base() -> Made:
            made = make_base_backup(backups, programs, server)
            require_archive(backups, wait)
            return made

        failures = []
        for kind, step, make in (
            (Kind.BASE, "Copying the cluster", make_base),
            (Kind.DUMP, "Dumping the database", lambda: make_dump(backups, programs, server)),
        ):
            try:
                if only in (None, kind):
                    _make(server, kind, step, make)
            except CommandError as error:
                failures.append(str(error))
        if failures:
            raise CommandError("; ".join(failures))
        deleted = backups.prune(datetime.now(UTC), timedelta(days=keep_days))
    if deleted:
        print_note(f"Deleted {len(deleted):,} files and folders that no restore needs any more")


def restore(
    folder: Annotated[Path, typer.Argument(file_okay=False, exists=True, help="The folder of the backups.")],
    cluster: Annotated[Path, typer.Argument(file_okay=False, help="The empty folder of the new cluster.")],
    to: Annotated[str | None, typer.Option(help="The instant to restore, in UTC if it has no offset.")] = None,
    timeline: Annotated[int | None, typer.Option(min=1, help="The timeline to follow, after earlier restores.")] = None,
) -> None:
    """Write a cluster from a base backup, which PostgreSQL recovers to an instant when it is started.

    The newest base backup from before the instant is used, and the write-ahead log in FOLDER/wal; without --to, all of
    it. The backup is checked against its manifest, and the archive for gaps. The cluster belongs to the owner of its
    folder. It changes neither the backups nor the lost cluster.
    """
    from app.cli.backups.folder import BackupFolder
    from app.cli.backups.restore_cluster import plan_restore, restore_cluster

    backups = BackupFolder(folder)
    plan = plan_restore(backups, None if to is None else _parse_instant(to), timeline)
    with console(stderr=True).status(f"Restoring {plan.backup.path.name}"):
        restore_cluster(backups, plan, cluster)
    until = "all that is in the archive" if plan.instant is None else f"{plan.instant:%Y-%m-%d %H:%M:%S}Z"
    print_result(
        f"{cluster} was written from {plan.backup.path}.\n"
        f"Start PostgreSQL {plan.backup.postgresql} on it: it recovers to {until} on timeline {plan.timeline}.\n"
        "Then run `leaderboard verify`, and `leaderboard rebuild` if no instance is running."
    )


def _parse_instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise CommandError("--to must be an instant, such as 2026-11-30T14:55:00Z") from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def _make(server: BackedUpServer, kind: Kind, step: str, make: Callable[[], Made]) -> None:
    """Make a backup, and record in the database that it is there, or that it failed."""
    try:
        with console(stderr=True).status(step):
            made = make()
    except BaseException:
        # The error of the backup says more than that of a database which cannot record it either.
        with suppress(CommandError):
            server.record_failure(kind.value)
        raise
    server.record_success(kind.value, made.bytes)
    print_result(f"{made.path} ({made.bytes:,} bytes)")
