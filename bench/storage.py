"""Measure how much the stores grow: bytes per submission, per row and per member, and how updates are stored.

    python -m bench.storage
    python -m bench.storage --players 2000 --rounds 10

Players submit action tokens to the services, without HTTP, on private stores. The result is a table for planning:
`docs/operations/data-growth.md` explains it.
"""

from __future__ import annotations

import argparse
import asyncio

import asyncpg
from rich.console import Console
from rich.table import Table

from app.config import load_settings
from app.domain.users import Caller, Role, SubjectIds
from app.models.migrate import upgrade
from app.runtime import Runtime
from app.telemetry.logging import configure_logging
from app.wiring import App, open_app
from bench.subjects.stores import create_database, private_stores

ADDRESS = "203.0.113.7"
USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"

SIZES = """
    SELECT coalesce(parent.relname, c.relname) AS name, sum(pg_total_relation_size(c.oid))::bigint AS bytes,
           sum(pg_table_size(c.oid))::bigint AS heap, sum(s.n_live_tup)::bigint AS rows,
           sum(s.n_tup_upd)::bigint AS updates, sum(s.n_tup_hot_upd)::bigint AS hot
    FROM pg_class c
    JOIN pg_stat_user_tables s ON s.relid = c.oid
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class parent ON parent.oid = i.inhparent
    WHERE c.relkind = 'r' GROUP BY 1 ORDER BY 1
"""


async def play(app: App, players: list[Caller], rounds: int) -> None:
    """Let every player submit one action per round."""

    async def submit(player: Caller) -> None:
        token = await app.issue_token(player, "COMPLETE_QUIZ")
        await app.submit_score(player, token.token, address=ADDRESS, user_agent=USER_AGENT)

    for _ in range(rounds):
        await asyncio.gather(*map(submit, players))
    await app.ledger.drain()


async def measure(database_url: str, dsn: str, redis_url: str, players: int, rounds: int) -> Table:
    """Return the table of one run."""
    settings = load_settings(
        database_url=database_url, redis_url=redis_url, redis_prefix="storage", fraud_enabled=False, log_level="ERROR"
    )
    runtime = Runtime()
    async with open_app(settings, runtime, housekeeping=False) as app:
        await app.rebuild.ensure_loaded()
        expires_at = int(runtime.clock().timestamp()) + 86_400
        callers = [
            Caller(SubjectIds("bench").user_id(str(number)), f"player {number}", None, Role.PLAYER, expires_at)
            for number in range(players)
        ]
        redis_before = int((await app.redis.info("memory"))["used_memory"])
        await play(app, callers, 1)
        redis_bytes = int((await app.redis.info("memory"))["used_memory"]) - redis_before
        log = await _log_position(dsn)
        await play(app, callers, rounds - 1)
        log_bytes = await _log_position(dsn) - log
    connection = await asyncpg.connect(dsn, timeout=10, command_timeout=600)
    try:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        await connection.execute("ANALYZE")
        found = {row["name"]: row for row in await connection.fetch(SIZES)}
    finally:
        await connection.close()
    return _table(found, players, rounds, redis_bytes, log_bytes)


async def _log_position(dsn: str) -> int:
    """Return how many bytes of write-ahead log PostgreSQL has written."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return int(await connection.fetchval("SELECT pg_current_wal_insert_lsn() - '0/0'"))
    finally:
        await connection.close()


def _table(found: dict[str, asyncpg.Record], players: int, rounds: int, redis_bytes: int, log_bytes: int) -> Table:
    table = Table(
        "Table", "Rows", "Bytes per row", "Bytes per submission", "Updates", "HOT", box=None,
        title=f"{players} players, {rounds} submissions each",
    )  # fmt: skip
    for column in table.columns[1:]:
        column.justify = "right"
    for name in ("score_transactions", "transaction_origins", "action_tokens", "scores", "users"):
        row = found[name]
        hot = f"{row['hot'] / row['updates']:.0%}" if row["updates"] else "-"
        table.add_row(
            name, f"{row['rows']:,}", f"{row['bytes'] / max(row['rows'], 1):,.0f}",
            f"{row['bytes'] / (players * rounds):,.0f}", f"{row['updates']:,}", hot,
        )  # fmt: skip
    later = players * (rounds - 1)
    table.add_row("write-ahead log, after the first round", f"{later:,}", "", f"{log_bytes / later:,.0f}")
    table.add_row("Redis, per member of a category (4 boards)", f"{players:,}", f"{redis_bytes / players:,.0f}")
    return table


def main() -> None:
    """Parse the arguments, measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.storage", description=__doc__.splitlines()[0])
    parser.add_argument("--players", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=20, help="submissions of each player")
    arguments = parser.parse_args()
    configure_logging("WARNING", json=False)
    with private_stores() as stores:
        database = create_database(stores, "storage")
        upgrade(database.url)
        Console().print(
            asyncio.run(measure(database.url, database.dsn, stores.redis_url, arguments.players, arguments.rounds))
        )


if __name__ == "__main__":
    main()
