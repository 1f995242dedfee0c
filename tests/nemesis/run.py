"""A run: rounds of load and faults, each followed by rest, and the checks at the end."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from app.domain.users import SubjectIds
from tests.nemesis import checker
from tests.nemesis.clients import (
    ISSUE,
    SUBMIT,
    Clients,
    Unanswered,
    Watcher,
    access_token,
    moderate,
    play,
    read,
    read_board,
    record_actions,
    token_hash,
    watchers_of,
)
from tests.nemesis.faults import FAULTS
from tests.nemesis.history import History
from tests.nemesis.installation import BOARDS, Installation, installed
from tests.nemesis.schedule import PlannedFault, Round

PLAYERS = 6
WARDS = [f"ward-{number}" for number in range(8)]
REST_TIMEOUT = 120.0
"""Seconds after which an installation that has not recovered or converged counts as one that does not."""

EXPECTED_ERRORS = (
    "app.domain.errors.ServiceUnavailable",
    "app.stores.redis_caller.RedisUnreachable",
    "app.services.jobs.JobTimedOut",
)
"""The errors that say that a store is away: background work which they end logs them."""

NAMES_TIMEOUT = 20.0
"""The same for names, which are waited for after every round, from the recovery of the instances on."""
_MARGINS = re.compile(r"\x1b\[[0-9;]*m|^ *(\| |\+ |\+-.*$)", re.MULTILINE)
"""Colours, and what precedes the lines of a group of exceptions."""
_CAUSES = ("The above exception was the direct cause", "During handling of the above exception")


@dataclass
class Run:
    """One run on an installation."""

    installation: Installation
    history: History
    clients: Clients
    watchers: Sequence[Watcher]

    async def round(self, planned: Round) -> None:
        """Break what is planned while clients write and read; then let the writers rest, and wait for convergence."""
        self.history.add("round", number=planned.number, faults=planned.names, began=self.history.now())
        self.clients.writing.set()
        async with asyncio.TaskGroup() as faults:
            for fault in planned.faults:
                faults.create_task(self._break(planned, fault))
        healed = self.history.now()
        await asyncio.gather(*(instance.ready() for instance in self.installation.instances))
        self.clients.writing.clear()
        async with asyncio.TaskGroup() as measurements:
            for instance in (0, 1):
                measurements.create_task(self._measure_recovery(planned, instance, healed))
        await self.clients.quiet(REST_TIMEOUT)
        await self._measure_convergence(planned, healed)

    async def _break(self, planned: Round, fault: PlannedFault) -> None:
        await asyncio.sleep(fault.start)
        began = self.history.now()
        async with FAULTS[fault.name](self.installation, Random(fault.seed)):
            await asyncio.sleep(fault.seconds)
            ends = self.history.now()
        self.history.add(
            "fault", round=planned.number, name=fault.name, began=began, ended=ends, mended=self.history.now()
        )

    async def _measure_recovery(self, planned: Round, instance: int, healed: float) -> None:
        """Record how long it takes until an instance accepts a submission, and shows a board that is current."""
        name = f"probe-{instance}"
        token = access_token(self.installation.settings, name)
        user = str(SubjectIds(self.installation.settings.jwt_issuer).user_id(name))

        async def submit() -> bool:
            answer = await self.clients.ask(instance, ISSUE, {"input": {"actionType": "COMPLETE_QUIZ"}}, token)
            if answer.data is None or "actionToken" not in answer.data["issueActionToken"]:
                return False
            action_token = answer.data["issueActionToken"]["actionToken"]
            variables = {"input": {"actionToken": action_token}}
            record = await self.clients.attempt(
                name, "submit", instance, SUBMIT, variables, token, token=token_hash(action_token), user=user
            )
            return record["outcome"] == "accepted"

        async def show() -> bool:
            shown = await read_board(self.clients, name, instance, "ALL_TIME")
            return shown is not None and not shown["stale"]

        for operation, succeeds in (("submit", submit), ("read", show)):
            seconds = None
            while self.history.now() < healed + REST_TIMEOUT:
                with contextlib.suppress(Unanswered):
                    if await succeeds():
                        seconds = round(self.history.now() - healed, 2)
                        break
                await asyncio.sleep(0.05)
            self.history.add(
                "recovered",
                round=planned.number,
                faults=planned.names,
                instance=instance,
                operation=operation,
                seconds=seconds,
            )

    async def _measure_convergence(self, planned: Round, healed: float) -> None:
        """Record when each watcher and each instance shows what PostgreSQL has. Nobody writes meanwhile.

        Scores and names are measured apart, because they are different copies.
        """
        truth = {board: await self.installation.true_board(board) for board in BOARDS}
        shown_by: dict[str, Watcher | tuple[int, str]] = {watcher.name: watcher for watcher in self.watchers}
        shown_by |= {f"query {board} {instance}": (instance, board) for instance in (0, 1) for board in BOARDS}
        waiting = {(name, what): "nothing was shown" for name in shown_by for what in ("scores", "names")}
        recovered = self.history.now()
        while waiting and self.history.now() - healed < REST_TIMEOUT:
            for name in {name for name, _ in waiting}:
                source = shown_by[name]
                if isinstance(source, Watcher):
                    shown, board, limit = source.shown, source.board, 50
                else:
                    shown, board, limit = await read_board(self.clients, name, *source), source[1], 100
                for what in ("scores", "names"):
                    if (name, what) not in waiting:
                        continue
                    waiting[name, what] = difference = _difference(shown, truth[board][:limit], what)
                    if not difference or (what == "names" and self.history.now() - recovered > NAMES_TIMEOUT):
                        self._converged(planned, name, what, difference, self.history.now() - healed)
                        del waiting[name, what]
            await asyncio.sleep(0.05)
        for (name, what), difference in waiting.items():
            self._converged(planned, name, what, difference, REST_TIMEOUT)

    def _converged(self, planned: Round, name: str, what: str, difference: str, seconds: float) -> None:
        self.history.add(
            "converged",
            round=planned.number,
            faults=planned.names,
            watcher=name,
            what=what,
            seconds=None if difference else round(seconds, 2),
            detail=difference,
        )

    async def finish(self) -> None:
        """Stop the clients, and record the truth, the logs and what `leaderboard verify` says."""
        self.clients.ended = True
        await self.clients.quiet(REST_TIMEOUT)
        self.history.add("truth", **await self.installation.truth())
        # The lock of an instance that was killed during a rebuild expires first; meanwhile PostgreSQL shows the boards.
        until = self.history.now() + REST_TIMEOUT
        while True:
            code, output = await self.installation.verify()
            if code == 0 or self.history.now() > until:
                break
        self.history.add("verify", code=code, output=output)
        for instance in self.installation.instances:
            await instance.terminate()
            for code in instance.wrong_exits:
                self.history.add("exit", instance=instance.number, code=code)
            for text in tracebacks(instance.log.read_text(errors="replace")):
                self.history.add("log", instance=instance.number, text=text)


def tracebacks(log: str) -> list[str]:
    """Return the error of each traceback in a log, without causes of another and without `EXPECTED_ERRORS`."""
    errors: list[str] = []
    lines = iter(_MARGINS.sub("", log).splitlines())
    for line in lines:
        if line.startswith(_CAUSES) and errors:
            errors.pop()
        elif "Traceback (most recent call last)" in line:
            error = next((after for after in lines if after and not after.startswith(" ")), "cut off")
            errors.append(re.sub(r"0x[0-9a-f]+", "0x…", error))
    return [error for error in errors if not error.startswith((*EXPECTED_ERRORS, "ExceptionGroup"))]


def _difference(shown: dict[str, Any] | None, truth: list[list[Any]], what: str) -> str:
    """Return a sentence on the first difference, or an empty text. An entry is user id, name and score."""
    if shown is None:
        return "no answer"
    here = f"{shown['source']}, epoch {shown['epoch']}, version {shown['version']}"
    if shown["stale"]:
        return f"stale ({here})"
    kept = slice(0, 3, 2) if what == "scores" else slice(0, 2)
    if len(shown["entries"]) != len(truth):
        return f"{len(shown['entries'])} entries instead of {len(truth)} ({here})"
    for place, (mine, right) in enumerate(zip(shown["entries"], truth, strict=True), 1):
        if mine[kept] != right[kept]:
            return f"rank {place} is {mine} instead of {right} ({here})"
    return ""


@asynccontextmanager
async def opened_run(seed: int, folder: Path, **variables: str) -> AsyncIterator[Run]:
    """Start an installation and its clients; records and logs are written to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    random = Random(f"clients {seed}")
    async with installed(folder, Random(f"network {seed}"), **variables) as installation:
        history = History(folder / "history.jsonl")
        history.add("run", seed=seed, started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        clients = Clients(installation, history, random)
        watchers = list(watchers_of(clients))
        work = [
            *(play(clients, f"player-{number}") for number in range(PLAYERS)),
            *(record_actions(clients, f"game-{number}", WARDS) for number in range(2)),
            moderate(clients, "moderator", WARDS),
            *(read(clients, f"reader-{number}", number) for number in (0, 1)),
            *(watcher.run() for watcher in watchers),
        ]
        tasks = [asyncio.create_task(one) for one in work]
        try:
            yield Run(installation, history, clients, watchers)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            await clients.close()
            history.close()
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome


async def run(
    seed: int, planned: Iterable[Round], folder: Path, *, until: float = float("inf"), **variables: str
) -> History:
    """Run the rounds, at most until a time of the monotonic clock, and return the history with the truth at its end."""
    async with opened_run(seed, folder, **variables) as this:
        for one in planned:
            if time.monotonic() > until:
                break
            print(one, flush=True)  # noqa: T201
            await this.round(one)
        await this.finish()
    return this.history


def summary(history: History) -> str:
    """Return a table by fault, the totals, and the breaches by check."""
    lines = [f"{'faults':70} {'acknowledged':>12} {'lost':>5} {'twice':>5} {'recovery':>9} {'convergence':>12}"]
    for name, row in sorted(_by_faults(history).items()):
        counts = f"{len(row.told):12} {row.lost:5} {row.twice:5}"
        lines.append(f"{name:70} {counts} {row.recovered:8.1f}s {row.converged:11.1f}s")
    outcomes = Counter(record["outcome"] for record in history.of("attempt"))
    lines += ["", "attempts: " + ", ".join(f"{outcome} {number}" for outcome, number in sorted(outcomes.items()))]
    lines += [f"watched: {sum(1 for _ in history.of('watch'))} messages"]
    found = checker.breaches(history.records)
    for name in checker.CHECKS:
        sentences = found.get(name, [])
        verdict = "BREACH" if sentences else "ok"
        lines.append(f"{verdict:9} {name}" + (f" ({len(sentences)})" if sentences else ""))
        lines += [f"            {sentence[:400]}" for sentence in sentences[:5]]
    return "\n".join(lines)


@dataclass
class _Row:
    """What happened in all rounds with the same faults. Seconds are the longest, infinite if a time limit was over."""

    told: set[str] = field(default_factory=set)
    lost: int = 0
    twice: int = 0
    recovered: float = 0.0
    converged: float = 0.0


def _by_faults(history: History) -> dict[str, _Row]:
    rows: dict[str, _Row] = {}
    kept = {row["id"] for truth in history.of("truth") for row in truth["transactions"]}
    row = rows.setdefault("none", _Row())
    paid: dict[str, str] = {}
    for record in history.records:
        match record:
            case {"type": "round", "faults": faults}:
                row = rows.setdefault(" + ".join(faults), _Row())
            case {"type": "recovered" | "converged" as kind, "seconds": seconds}:
                setattr(row, kind, max(getattr(row, kind), float("inf") if seconds is None else seconds))
            case {"type": "attempt", "receipt": {"transaction": id}}:
                row.lost += id not in kept and id not in row.told
                row.told.add(id)
                payment = record.get("token") or record.get("key") or id
                row.twice += paid.setdefault(payment, id) != id
    return {name: row for name, row in rows.items() if name != "none" or row.told}
