"""Questions about the past: what they cost PostgreSQL, wherever the instant is.

python -m bench.past [--players 1000000] [--transactions 5000000] [--record]
"""

from __future__ import annotations

import asyncio
import statistics
import time
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg

from app.domain.boards.board import Board, board_of
from app.domain.boards.periods import Period
from app.models.migrate import upgrade
from app.models.statements.boards.past_boards import (
    read_past_slices,
    read_past_standings,
)
from app.models.statements.ledger.partitions import Month
from app.runtime import Runtime
from app.services.boards.checkpoints import Checkpoints
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.partitions import Partitions
from app.stores.circuit_breaker import CircuitBreaker
from app.stores.postgres import POSTGRES_FAILURES, Database, open_engine
from bench.reporting import machine
from bench.reporting.plans import PlanRecorder
from bench.reporting.report import Report
from bench.subjects.stores import create_database, private_stores

DAYS = 90
HIDDEN = 1000
ROUNDS = 5
END = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
BEGIN = END - timedelta(days=DAYS)

# Loading with the indexes of other features would take most of the time.
PREPARE = """
DROP INDEX uq_score_transactions_user_id_seq, ix_score_transactions_user_action, ix_score_transactions_created_at,
    ix_score_transactions_category_id_created_at, ix_score_transactions_user_id_category_id;
ALTER TABLE score_transactions DROP CONSTRAINT pk_score_transactions CASCADE;
"""
USERS = """
INSERT INTO users (id, username, claimed_username, hidden_at)
SELECT md5(i::text)::uuid, 'player-' || i, 'player-' || i, CASE WHEN i % ($1::int / $2) = 0 THEN now() END
FROM generate_series(1, $1::int) AS i
"""
# Newcomers arrive all the time; the others play now and then, the early ones more often.
LEDGER = """
INSERT INTO score_transactions (
    id, user_id, seq, category_id, action_id, kind, points, delta, score, actor_role, created_at, previous_hash, hash
)
SELECT md5('t' || i)::uuid, md5(player::text)::uuid, row_number() OVER w, 'global', 'COMPLETE_QUIZ', 'SERVER_ACTION',
       delta, delta, sum(delta) OVER w, 'server', $3::timestamptz + i * ($4::timestamptz - $3) / $1::int, '', ''
FROM (
    SELECT i, CASE WHEN i % ($1 / $2) = 0 THEN i / ($1 / $2)
                   ELSE 1 + floor(power(random(), 1.5) * (i / ($1 / $2)))::int END AS player,
           10 * (1 + floor(random() * 5)::int) AS delta
    FROM generate_series(1, $1::int) AS i
) t
WINDOW w AS (PARTITION BY player ORDER BY i)
ORDER BY i
"""
INDEXES = """
CREATE INDEX ON score_transactions (category_id, created_at, user_id) WHERE delta <> 0;
CREATE INDEX ON score_transactions (user_id, category_id, created_at, seq) INCLUDE (score) WHERE delta <> 0;
"""


def main() -> None:
    """Run the benchmark."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--players", type=int, default=1_000_000)
    parser.add_argument("--transactions", type=int, default=5_000_000)
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    report = Report("Questions about the past", machine.describe())
    report.note(
        f"{options.players:,} players, {options.transactions:,} transactions in {DAYS} days, {HIDDEN:,} hidden "
        f"players. Medians of {ROUNDS}: `ms` is the execution time of PostgreSQL by EXPLAIN ANALYZE, and `CPU ms` its "
        "CPU time, planning included, which a busy machine affects less; `blocks` are of 8 KiB, and `max rows` is the "
        "maximum of one step of a plan."
    )
    with private_stores() as stores:
        database = create_database(stores, "past")
        upgrade(database.url)
        asyncio.run(_create_partitions(database.url))
        database.run(lambda connection: _load(connection, options.players, options.transactions))
        database.settle()
        asyncio.run(_measure(database.url, options.players, options.transactions, report))
    if options.record:
        report.record()


async def _create_partitions(url: str) -> None:
    async with AsyncExitStack() as stack:
        database, runtime = await _open(url, stack), Runtime()
        first = Month.of(BEGIN)
        await Partitions(database, runtime).ensure(first.after(number) for number in range(DAYS // 28 + 1))


async def _open(url: str, stack: AsyncExitStack) -> Database:
    engine = open_engine(url, max_connections=2, timeout=120, name="bench")
    stack.push_async_callback(engine.dispose)
    return Database(engine, CircuitBreaker("bench", POSTGRES_FAILURES, Runtime()))


async def _load(connection: asyncpg.Connection, players: int, transactions: int) -> None:
    await connection.execute("SET work_mem = '256MB'; SET maintenance_work_mem = '512MB'; SET synchronous_commit = off")
    await connection.execute(PREPARE)
    await connection.execute(USERS, players, HIDDEN)
    await connection.execute(LEDGER, transactions, players, BEGIN, END)
    await connection.execute(INDEXES)


async def _measure(url: str, players: int, transactions: int, report: Report) -> None:
    async with AsyncExitStack() as stack:
        database, runtime = await _open(url, stack), Runtime()
        catalogue = CatalogueService(database, 1_000_000)
        await catalogue.refresh()
        midnight = END.replace(hour=0, minute=0, second=0)
        instants = [
            ("before the first transaction", BEGIN - timedelta(hours=1)),
            ("on the first day", BEGIN + timedelta(hours=7, minutes=11)),
            ("a random instant", BEGIN + timedelta(days=17, hours=3, minutes=43)),
            ("just before midnight", midnight - timedelta(seconds=1)),
            ("an hour ago", END - timedelta(hours=1)),
            ("now", END),
        ]
        await _table(database, "Before the first checkpoint", instants[1:2], players, report)
        checkpoints, started, stored = Checkpoints(database, catalogue, runtime), time.monotonic(), 0
        while count := await checkpoints():
            stored += count
        seconds = time.monotonic() - started
        size = await _size(database)
        report.note(
            f"The job stored {stored:,} checkpoints in {seconds:,.0f} s; they take {size / transactions:,.0f} bytes "
            "per transaction."
        )
        async with database.connect() as connection:
            await connection.exec_driver_sql(
                "VACUUM (ANALYZE) checkpoints, checkpoint_chunks, checkpoint_moves, hidden_user_scores"
            )
        await _table(database, "With checkpoints", instants, players, report)


async def _table(
    database: Database, title: str, instants: list[tuple[str, datetime]], players: int, report: Report
) -> None:
    rows = []
    for name, at in instants:
        board = Board("global", board_of("global", Period.ALL_TIME, at).window, at)
        _, total = await _explain(database, partial(read_past_slices, board=board, ranges=[(0, 1)]))
        user = await _user_at(database, board, total // 2)
        questions: list[tuple[str, Callable[[Any], Awaitable[Any]]]] = [
            ("leaderboard", partial(read_past_slices, board=board, ranges=[(0, 10)])),
            ("offset 10,000", partial(read_past_slices, board=board, ranges=[(10_000, 100)])),
            ("userRank", partial(read_past_standings, board=board, users=[user])),
            ("middle of the board", partial(read_past_slices, board=board, ranges=[(total // 2, 100)])),
        ]
        for question, ask in questions:
            rounds = [(await _explain(database, ask))[0] for _ in range(ROUNDS)]
            rows.append(
                [
                    f"{name}, {question}",
                    f"{total:,}",
                    f"{statistics.median(one.milliseconds for one in rounds):.1f}",
                    f"{statistics.median(one.cpu_milliseconds for one in rounds):.1f}",
                    f"{statistics.median(one.planning_milliseconds for one in rounds):.1f}",
                    f"{statistics.median(one.blocks for one in rounds):,.0f}",
                    f"{max(one.max_rows for one in rounds):,}",
                ]
            )
    report.table(title, ["", "players then", "ms", "CPU ms", "planning ms", "blocks", "max rows"], rows)


async def _user_at(database: Database, board: Board, offset: int) -> UUID:
    ask = partial(read_past_slices, board=board, ranges=[(offset, 1)])
    _, found = await _explain(database, ask, rows=True)
    return found[0].rows[0].user_id if found[0].rows else UUID(int=0)


async def _explain(
    database: Database, ask: Callable[[Any], Awaitable[Any]], *, rows: bool = False
) -> tuple[PlanRecorder, Any]:
    async with database.snapshot() as connection:
        recorder = PlanRecorder(connection)
        await recorder.measure_cpu()
        found, total = await ask(recorder)
    return recorder, found if rows else total


async def _size(database: Database) -> int:
    async with database.connect() as connection:
        found = await connection.exec_driver_sql(
            "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest("
            "ARRAY['checkpoints', 'checkpoint_chunks', 'checkpoint_moves', 'hidden_user_scores']) AS t(name)"
        )
        return int(found.scalar_one())


if __name__ == "__main__":
    main()
