"""Lose the cluster of a running service, restore it to an instant, and compare the boards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any

from app.cli.backups.folder import BackupFolder
from app.cli.backups.restore_cluster import plan_restore
from app.config import Settings
from tests.support.processes.archiving_postgres import ArchivingPostgres, archiving_postgres
from tests.support.processes.cli_process import CommandResult, environment, run
from tests.support.service import BOARD, Player, Service, serving, settings_for
from tests.support.wait_until import until_answer

STEP_TIMEOUT = 600.0
MAX_SUBMISSIONS_AT_ONCE = 16

Entry = tuple[str, int, int]


class DrillFailed(Exception):
    """Something is not as it was at the instant. The message says what."""


@dataclass
class Drill:
    """What a drill saw, and how many seconds each step took.

    Attributes:
        seconds: The duration of each step, in order.
        backup_bytes: What the base backup and the dump take.
        lost: How many submissions after the instant are gone, as they must be.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    backup_bytes: int = 0
    lost: int = 0


async def drill(redis_url: str, *, players: int, submissions: int, report: Callable[[str], None]) -> Drill:
    """Run all steps on a PostgreSQL of its own.

    Args:
        redis_url: An empty Redis.
        players: How many players there are.
        submissions: How many times each of them scores before the backup, until the instant, and after it.
        report: Called with the name of each step.

    Raises:
        DrillFailed: The restored service differs from what it was.
    """
    result = Drill()
    async with archiving_postgres() as postgres:
        settings = settings_for(postgres.url, redis_url, fraud_enabled=False, score_cap=1_000_000_000)
        async with serving(settings) as service:
            names = [service.player(f"player-{number}") for number in range(players)]
            steps = _Steps(postgres, settings, service, names, submissions, result, report)
            await steps.run()
    return result


class _Steps:
    def __init__(
        self,
        postgres: ArchivingPostgres,
        settings: Settings,
        service: Service,
        players: list[Player],
        submissions: int,
        result: Drill,
        report: Callable[[str], None],
    ) -> None:
        self.postgres = postgres
        self.settings = settings
        self.service = service
        self.players = players
        self.submissions = submissions
        self.result = result
        self.report = report
        self.random = Random(1)

    async def run(self) -> None:
        await self._timed("load", self._load())
        await self._timed("backup", self._back_up())
        await self._timed("more load", self._load())
        expected, instant = await self._board(), await self._instant()
        await self._timed("load after the instant", self._load())
        self.result.lost = len(self.players) * self.submissions
        if await self._board() == expected:
            raise DrillFailed("the load after the instant has changed nothing")
        await self._archive_everything(instant)
        await asyncio.to_thread(self.postgres.lose_cluster)
        began = time.monotonic()
        await self._timed("restore", self._restore(instant))
        await self._timed("recovery of PostgreSQL", self.postgres.start())
        await self._timed("service heals", self._until_board_is(expected))
        self.result.seconds["from the loss until boards are right"] = time.monotonic() - began
        await self._timed("verify", self._succeed("verify"))
        await self._timed("rebuild", self._succeed("rebuild"))
        await self._until_board_is(expected)
        await self._timed("load after the restore", self._load())
        await self._back_up_again()

    async def _timed(self, step: str, work: Any) -> None:
        self.report(step)
        began = time.monotonic()
        await work
        self.result.seconds[step] = time.monotonic() - began

    async def _load(self) -> None:
        gate = asyncio.Semaphore(MAX_SUBMISSIONS_AT_ONCE)

        async def play(player: Player) -> None:
            async with gate:
                outcome = await player.play("COMPLETE_LEVEL")
            if outcome["__typename"] != "ScoreAccepted":
                raise DrillFailed(f"a submission was answered with {outcome}")

        turns = self.players * self.submissions
        self.random.shuffle(turns)
        await asyncio.gather(*map(play, turns))

    async def _back_up(self) -> None:
        await self._succeed("backup", str(self.postgres.backups), "--tools", str(self.postgres.programs))
        folders = (self.postgres.backups / "base", self.postgres.backups / "dump")
        self.result.backup_bytes = sum(
            path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file()
        )

    async def _back_up_again(self) -> None:
        """Let the restored cluster archive, and back it up. Its timeline must be known to later restores."""
        await self.postgres.ask("ALTER SYSTEM SET archive_mode = on")
        await asyncio.to_thread(self.postgres.stop)
        await self.postgres.start()
        await self._timed("backup of the restored cluster", self._back_up())
        backups = BackupFolder(self.postgres.backups)
        newest = backups.base_backups()[-1]
        plan = plan_restore(backups, None, None)
        if (newest.end.timeline, plan.timeline) != (2, 2):
            raise DrillFailed(
                f"the newest backup is on timeline {newest.end.timeline}, and {plan.timeline} is followed"
            )
        if not (backups.wal / "00000002.history.gz").exists():
            raise DrillFailed("the archive does not have the history of the new timeline")

    async def _instant(self) -> datetime:
        """Return an instant between what was committed and what will be."""
        now = await self.postgres.ask("SELECT clock_timestamp()")
        assert isinstance(now, datetime)
        await until_answer(lambda: self.postgres.ask("SELECT clock_timestamp()"), lambda later: later > now)
        return now

    async def _archive_everything(self, instant: datetime) -> None:
        """Wait until the archive has what was committed, which `archive_timeout` ensures after some minutes."""
        name = await self.postgres.ask("SELECT pg_walfile_name(pg_switch_wal())")
        file = self.postgres.backups / "wal" / f"{name}.gz"

        async def is_there() -> bool:
            return file.exists()

        await until_answer(is_there, bool, timeout=STEP_TIMEOUT)

    async def _restore(self, instant: datetime) -> None:
        arguments = (str(self.postgres.backups), str(self.postgres.cluster), "--to", instant.isoformat())
        await self._succeed("restore", *arguments)

    async def _succeed(self, *arguments: str) -> CommandResult:
        """Run a command as an operator does."""
        ended = await run(*arguments, env=environment(self.settings), timeout=STEP_TIMEOUT)
        if ended.code != 0:
            raise DrillFailed(f"leaderboard {arguments[0]} ended with {ended.code}: {ended.err or ended.out}")
        return ended

    async def _board(self) -> list[Entry]:
        page = (await self.service.anonymous.ask(BOARD, limit=100))["leaderboard"]
        return [(entry["user"]["username"], entry["score"], entry["rank"]) for entry in page["entries"]]

    async def _until_board_is(self, expected: list[Entry]) -> None:
        """Wait until the service, which ran all the time with a Redis that is ahead, shows a board by itself."""

        async def current() -> tuple[bool, list[Entry]]:
            answer = await self.service.anonymous.post(BOARD, limit=100)
            body = answer.json()
            if "errors" in body or body["data"]["leaderboard"]["stale"]:
                return False, []
            return body["data"]["leaderboard"]["source"] != "POSTGRES", await self._board()

        try:
            await until_answer(current, lambda seen: seen == (True, expected), timeout=60)
        except TimeoutError:
            raise DrillFailed(f"the board is {await self._board()}, and must be {expected}") from None
