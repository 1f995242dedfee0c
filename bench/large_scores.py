"""Check that scores up to 2^53 - 1 are exact with many players: the same ranks in both stores, and no violation.

    python -m bench.large_scores --users 1000000

The players have scores of up to 16 digits, in a category whose actions pay four billion points and more. The board is
read from Redis by cursors, from the first entry to the last, and every rank is compared with that in PostgreSQL.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from pathlib import Path

from sqlalchemy import text

from app.config import load_settings
from app.domain.boards.board import TOP, Board, Entry, Page, Source
from app.domain.boards.cursors import board_cursor, parse_board_cursor
from app.domain.boards.periods import Period
from app.domain.boards.views import After, Position, Slice, View
from app.domain.ledger.transactions import Actor
from app.domain.scores import MAX_SCORE
from app.embedded import Stores
from app.models.migrate import upgrade
from app.runtime import Runtime
from app.services.boards.postgres_reader import PostgresReader
from app.wiring import App, open_app
from bench.reporting import machine
from bench.reporting.report import Report
from bench.subjects.stores import Database, create_database, private_stores

CATEGORY = {"id": "large", "name": "Large", "scoreCap": MAX_SCORE}
PAGES_PER_SAMPLE = 500
"""One of so many pages is also read from PostgreSQL as without Redis, which takes long on a board of this size."""
RANKS = text(
    """
    SELECT user_id, score, row_number() OVER (ORDER BY sort_key, reached_at, user_id), rank() OVER (ORDER BY sort_key)
    FROM scores WHERE category_id = :category AND period = 'ALL_TIME' ORDER BY sort_key, reached_at, user_id
    """
)
POINTS = {"SMALL": 2**32 + 1, "MIDDLE": 9_876_543_210, "LARGE": 2**52 + 1, "LARGEST": MAX_SCORE}
ACTIONS = [{"id": name, "name": name, "category": CATEGORY["id"], "points": points} for name, points in POINTS.items()]


class Differs(Exception):
    """The stores do not agree, or `verify` found a violation. The message says where."""


async def compare(app: App, board: Board) -> int:
    """Compare every entry in Redis with PostgreSQL, and some pages as readers get them from both; return the number.

    Raises:
        Differs: An entry or a page differs.
    """
    reader = PostgresReader(app.database, app.database, app.database, app.profiles, Runtime(), "postgres")
    count = 0
    view: View[Page] = Slice(0, TOP)
    async with app.database.snapshot() as connection:
        await connection.execute(text("SET LOCAL statement_timeout = 0"))
        async with connection.stream(RANKS, {"category": board.category}) as rows:
            while (page := await app.board_reader.page(board, view)).entries:
                for entry in page.entries:
                    row = await anext(rows)
                    found = (entry.user.id, entry.score, entry.rank, entry.competition_rank)
                    if page.source is not Source.REDIS or found != tuple(row):
                        raise Differs(f"{found} in {page.source} is {tuple(row)} in PostgreSQL")
                if count % (PAGES_PER_SAMPLE * TOP) == 0:
                    (sample,) = await reader.read(board, [view])
                    if not isinstance(sample, Page) or sample.entries != page.entries:
                        raise Differs(f"{view} is {sample} in PostgreSQL, and {page} in Redis")
                count += len(page.entries)
                view = After(parse_board_cursor(board, board_cursor(board, position_of(page.entries[-1]))), TOP)
            if await anext(rows, None) is not None:
                raise Differs(f"PostgreSQL has more than the {count} entries of Redis")
    return count


def position_of(entry: Entry) -> Position:
    """Return the position of an entry of a board on which the highest score leads."""
    return Position(-entry.score, entry.reached_at, entry.user.id)


async def measure(stores: Stores, database: Database, users: int, report: Report) -> None:
    """Seed, compare and verify, and add the table to the report. Raises Differs."""
    settings = load_settings(
        database_url=database.url,
        redis_url=stores.redis_url,
        db_timeout=120.0,
        redis_timeout=10.0,
        max_points_per_action=MAX_SCORE,
        _env_file=None,
    )
    async with open_app(settings, Runtime(), housekeeping=False) as app:
        await app.catalogue_changes.apply([CATEGORY], ACTIONS, Actor(None, "operator"), "bench")
        started = time.perf_counter()
        seeded = await app.seeding.seed("large", users, 2 * users, 30, lambda done: None)
        category = app.catalogue.current.category("large")
        await app.rebuild.ensure_loaded()
        await app.rebuild.rebuild(category, force=True)
        rows = [["seeded and loaded", f"{seeded.scores:,} scores", f"{time.perf_counter() - started:.0f} s"]]
        started = time.perf_counter()
        entries = await compare(app, app.board_queries.board(category, Period.ALL_TIME))
        rows.append(["equal in both stores", f"{entries:,} entries", f"{time.perf_counter() - started:.0f} s"])
        started = time.perf_counter()
        await app.reconcile.everything()
        if app.reconcile.rows_corrected or app.reconcile.uncorrected:
            raise Differs(f"reconciliation has corrected {app.reconcile.rows_corrected} rows")
        rows.append(["reconciled", "0 corrected", f"{time.perf_counter() - started:.0f} s"])
        started = time.perf_counter()
        results = await app.verify.run(lambda *_: None)
        if violations := [sentence for result in results for sentence in result.violations]:
            raise Differs("; ".join(violations[:5]))
        checked = sum(result.checked for result in results)
        rows.append(["verified", f"{checked:,} facts", f"{time.perf_counter() - started:.0f} s"])
        report.table(f"Scores up to 2^53 - 1: {users:,} players", ("what", "how many", "elapsed"), rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1_000_000)
    users: int = parser.parse_args().users
    report = Report(Path(__file__).stem, machine.describe())
    with private_stores() as stores:
        database = create_database(stores, "large")
        upgrade(database.url)
        asyncio.run(measure(stores, database, users, report))


if __name__ == "__main__":
    main()
