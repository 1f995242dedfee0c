"""Checkpoints: boards of the past equal what the whole ledger says, and cost a bounded number of rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app.config import Settings
from app.domain.boards.board import Board, board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import After, Around, Before, Position, Slice, UserSelection, View
from app.domain.errors import UserNotFound
from app.domain.ledger.opening import Balance
from app.domain.ledger.receipts import Receipt
from app.models.statements.boards.past_boards import (
    ChunkLimits,
    count_before_past,
    read_past_slices,
    read_past_standings,
)
from app.services.boards.checkpoints import DELAY, Checkpoints
from app.wiring import App
from bench.reporting.plans import PlanRecorder
from tests.support.boards.award_points import MODERATOR, award, correct, enlist, set_category
from tests.support.boards.board_rows import user_id
from tests.support.boards.exact_past import ExactRow, exact_board
from tests.support.manual_clock import WallClock
from tests.support.service import opened

START = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), datetime.min.time(), UTC)
PLAYERS = range(1, 11)


@pytest.fixture
def clock() -> WallClock:
    return WallClock(START)


@pytest.fixture
async def app(settings: Settings, clock: WallClock) -> AsyncIterator[App]:
    async with opened(settings, clock, housekeeping=False) as app:
        await enlist(app, *PLAYERS)
        yield app


def then(at: datetime) -> Board:
    return Board("global", board_of("global", Period.ALL_TIME, at).window, at)


def with_small_steps(app: App, step: int = 3) -> Checkpoints:
    """The job with so few transactions and users in each part that a handful of them makes all cases."""
    return Checkpoints(app.database, app.catalogue, app.runtime, step, ChunkLimits(size=2, max_moves=3))


async def count_of(app: App, table: str) -> int:
    async with app.database.connect() as connection:
        counted: int = (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()  # noqa: S608
        return counted


async def read(app: App, at: datetime, view: View[Any]) -> list[ExactRow]:
    page = await app.board_reader.page(then(at), view)
    return [
        ExactRow(one.user.id, one.score, one.reached_at, one.rank, one.competition_rank, one.tied_with)
        for one in page.entries
    ]


async def assert_exact(app: App, at: datetime, sort_order: str = "HIGH_FIRST") -> None:
    """Compare everything that can be asked of the board at `at` with the whole ledger."""
    exact = await exact_board(app, "global", at)
    assert (await app.board_reader.page(then(at), Slice(0, 1))).total_users == len(exact)
    for offset in range(0, len(exact) + 1, 2):
        assert await read(app, at, Slice(offset, 3)) == exact[offset : offset + 3]
    assert await read(app, at, Before(None, 3)) == exact[-3:]
    by_id = {row.user_id: row for row in exact}
    users = [user_id(number) for number in PLAYERS]
    for standing in await app.board_reader.standings(then(at), users):
        row = by_id.get(standing.user_id)
        found = (standing.score, standing.rank, standing.competition_rank, standing.tied_with, standing.total_users)
        expected = (row.score, row.rank, row.competition_rank, row.tied_with) if row else (0, None, None, 0)
        assert found == (*expected, len(exact))
    assert await read(app, at, UserSelection(frozenset(users))) == exact
    for index, row in enumerate(exact[::2]):
        position = Position(-row.score if sort_order == "HIGH_FIRST" else row.score, row.reached_at, row.user_id)
        place = 2 * index
        assert await read(app, at, After(position, 2)) == exact[place + 1 : place + 3]
        assert await read(app, at, Before(position, 2)) == exact[max(0, place - 2) : place]
        first = max(0, min(place - 1, len(exact) - 3))
        assert await read(app, at, Around(row.user_id, 1)) == exact[first : first + 3]


events = st.lists(
    st.tuples(
        st.sampled_from(["award"] * 8 + ["correct", "revert", "hide", "unhide", "delete"]),
        st.integers(1, 9),
        st.sampled_from([10, 20, 30]),
        st.sampled_from([0, 0, 1, 1_000_000, 3_600_000_000]),
    ),
    min_size=8,
    max_size=40,
)


async def happen(app: App, clock: WallClock, happenings: Sequence[tuple[str, int, int, int]]) -> list[datetime]:
    """Let players score and moderators decide; return the instants at which something happened."""
    instants: list[datetime] = []
    receipts: dict[int, Receipt] = {}
    for what, number, points, pause in happenings:
        clock.advance(microseconds=pause)
        instants.append(clock())
        with suppress(UserNotFound):  # The user was deleted.
            match what:
                case "award":
                    receipts[number] = await award(app, number, points)
                case "correct":
                    await correct(app, number, -10, board_of("global", Period.ALL_TIME, clock()))
                case "revert" if receipt := receipts.pop(number, None):
                    await app.moderation.corrections.revert(MODERATOR, receipt.transaction_id, "test")
                case "hide":
                    await app.moderation.visibility.hide(MODERATOR, user_id(number), "test")
                case "unhide":
                    await app.moderation.visibility.unhide(MODERATOR, user_id(number), "test")
                case "delete":
                    await app.moderation.deletion(MODERATOR, user_id(number), "test")
    return instants


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    early=events,
    late=events,
    operator=st.sampled_from(["SUM", "BEST", "LATEST"]),
    sort_order=st.sampled_from(["HIGH_FIRST", "LOW_FIRST"]),
)
async def test_every_view_of_every_instant_equals_what_the_whole_ledger_says(
    app: App,
    clock: WallClock,
    early: list[tuple[str, int, int, int]],
    late: list[tuple[str, int, int, int]],
    operator: str,
    sort_order: str,
):
    await start_anew(app)
    clock.advance(days=1)
    await set_category(app, "global", operator=operator, sort_order=sort_order)
    instants = await happen(app, clock, early)
    clock.advance(hours=1)
    await with_small_steps(app)()
    instants += await happen(app, clock, late)
    clock.advance(hours=1)
    async with app.database.connect() as connection:
        instants += (await connection.execute(text("SELECT as_of FROM checkpoints"))).scalars().all()
    await assert_all_exact(app, instants, sort_order)
    await with_small_steps(app)()
    await assert_all_exact(app, instants, sort_order)


async def assert_all_exact(app: App, instants: Sequence[datetime], sort_order: str) -> None:
    chosen = sorted(set(instants))
    for instant in chosen[:: len(chosen) // 4 + 1]:
        await assert_exact(app, instant, sort_order)
        await assert_exact(app, instant - timedelta(microseconds=1), sort_order)
    await assert_exact(app, app.clock(), sort_order)


async def start_anew(app: App) -> None:
    """Nobody has played, and nobody is hidden or deleted."""
    async with app.database.begin() as connection:
        await connection.execute(text("TRUNCATE scores, score_transactions, milestones, checkpoints CASCADE"))
        await connection.execute(text("TRUNCATE checkpoint_chunks, hidden_user_scores CASCADE"))
        await connection.execute(
            text("UPDATE users SET ledger_seq = 0, ledger_hash = '', hidden_at = NULL, deleted_at = NULL")
        )
    app.account_cache.invalidate_all()
    app.profiles.invalidate_all()
    await app.redis.flushdb()
    await app.rebuild.rebuild(app.catalogue.current.category("global"), force=True)


async def play(app: App, clock: WallClock, turns: int) -> list[datetime]:
    """Let nine players score in turn, a second apart."""
    return await happen(app, clock, [("award", turn % 9 + 1, 10 * (turn % 3 + 1), 1_000_000) for turn in range(turns)])


async def test_transactions_that_were_committed_late_end_up_in_the_checkpoints(app: App, clock: WallClock):
    instants = await play(app, clock, 20)
    clock.advance(minutes=5)
    checkpoints = with_small_steps(app)
    assert await checkpoints() == 6
    clock.first = [instants[4] + timedelta(milliseconds=1)] * 2
    await award(app, 10, 30)
    clock.first = []
    await checkpoints()
    for instant in instants:
        await assert_exact(app, instant)
    assert await count_of(app, "checkpoints") == 7
    await assert_exact(app, clock())


async def test_chunks_that_only_discarded_checkpoints_had_are_deleted(app: App, clock: WallClock):
    await play(app, clock, 30)
    clock.advance(minutes=5)
    checkpoints = with_small_steps(app)
    await checkpoints()
    chunks = await count_of(app, "checkpoint_chunks")
    async with app.database.begin() as connection:
        await connection.execute(text("UPDATE checkpoints SET transactions = 0 WHERE number > 1"))
    await checkpoints()
    await checkpoints()
    assert await count_of(app, "checkpoint_chunks") == chunks


async def test_balances_that_were_reached_in_the_past_are_on_the_boards_of_the_past(app: App, clock: WallClock):
    instants = await play(app, clock, 20)
    clock.advance(minutes=5)
    checkpoints = with_small_steps(app)
    await checkpoints()
    balance = Balance(user_id(10), "player-10", None, 25, instants[4] + timedelta(milliseconds=1))
    await app.opening_balances("global", [balance], "moved", lambda _: None)
    for _ in range(2):
        for instant in (instants[3], instants[5], instants[19]):
            await assert_exact(app, instant)
        await checkpoints()
    assert await count_of(app, "checkpoints") == 7


async def test_the_last_seconds_are_not_part_of_a_checkpoint(app: App, clock: WallClock):
    await play(app, clock, 9)
    assert await with_small_steps(app)() == 0
    clock.advance(DELAY.total_seconds() - 3)
    assert await with_small_steps(app)() == 2
    assert await with_small_steps(app)() == 0


async def test_many_transactions_of_one_instant_are_divided_among_checkpoints(app: App, clock: WallClock):
    for number in PLAYERS:
        await award(app, number, 10 * number)
    instant = clock()
    clock.advance(minutes=1)
    assert await with_small_steps(app)() == 3
    await assert_exact(app, instant)
    await assert_exact(app, instant - timedelta(microseconds=1))


async def test_scores_of_hidden_users_are_kept_for_reads_of_the_past_until_they_are_shown(app: App, clock: WallClock):
    checkpoints = with_small_steps(app)
    instants = await play(app, clock, 12)
    clock.advance(minutes=5)
    await app.moderation.visibility.hide(MODERATOR, user_id(3), "test")
    await checkpoints()
    categories = len(app.catalogue.current.categories)
    assert await count_of(app, "hidden_user_scores") == categories
    instants += await play(app, clock, 12)
    clock.advance(minutes=5)
    await checkpoints()
    for instant in instants[::3]:
        await assert_exact(app, instant)
    await app.moderation.visibility.unhide(MODERATOR, user_id(3), "test")
    for instant in instants[::3]:
        await assert_exact(app, instant)
    await checkpoints()
    assert await count_of(app, "hidden_user_scores") == 0


async def test_no_user_is_looked_up_in_the_ledger_for_an_instant_between_two_checkpoints(app: App, clock: WallClock):
    instants = await play(app, clock, 30)
    clock.advance(minutes=5)
    for number in (2, 3, 4):
        await app.moderation.visibility.hide(MODERATOR, user_id(number), "test")
    await with_small_steps(app)()
    for read_board in (
        partial(read_past_slices, board=then(instants[16]), ranges=[(0, 5)]),
        partial(count_before_past, board=then(instants[16]), positions=[Position(-20, instants[5], user_id(5))]),
    ):
        async with app.database.snapshot() as connection:
            recorder = PlanRecorder(connection)
            await read_board(recorder)
        assert recorder.loops_of("user_id_category_id") == 0


# Each player scores once in a round, so a ledger of four times the rounds has four times the rows.
LEDGER = text(
    """
    INSERT INTO score_transactions (
        id, user_id, seq, category_id, kind, points, delta, score, actor_role, created_at, previous_hash, hash
    )
    SELECT gen_random_uuid(), u.id, round, 'global', 'SERVER_ACTION', 10, 10, 10 * round, 'server',
           CAST(:begin AS timestamptz) + round * interval '1 hour' + n * interval '1 second', '', ''
    FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS round
    CROSS JOIN (SELECT id, row_number() OVER (ORDER BY username) AS n FROM users) u
    """
)


async def test_what_a_read_of_the_past_touches_does_not_grow_with_the_ledger(app: App, clock: WallClock):
    await enlist(app, *range(1, 501))
    checkpoints = Checkpoints(app.database, app.catalogue, app.runtime, 200, ChunkLimits(size=50, max_moves=100))
    work = []
    for first, last in ((1, 10), (11, 40)):
        async with app.database.begin() as connection:
            await connection.execute(LEDGER, {"begin": START, "first": first, "last": last})
        clock.now = START + timedelta(hours=last + 2)
        await checkpoints()
        async with app.database.connect() as connection:
            await connection.execute(text("VACUUM (ANALYZE)"))
        work.append([await touched(app, START + timedelta(hours=last * part, minutes=5)) for part in (0.1, 0.5, 0.8)])
    small, large = ([max(figures) for figures in zip(*one, strict=True)] for one in work)
    assert large[0] <= 1.5 * small[0], "rows of the largest step of a plan"
    assert large[1] <= 2 * small[1], "blocks"


async def touched(app: App, at: datetime) -> tuple[int, int]:
    """Return the rows of the largest step of the plans, and the blocks, of the costliest of some reads."""
    figures = []
    reads = [
        partial(read_past_slices, board=then(at), ranges=[(0, 10)]),
        partial(read_past_slices, board=then(at), ranges=[(300, 50)]),
        partial(read_past_standings, board=then(at), users=[user_id(250)]),
    ]
    for read_board in reads:
        async with app.database.snapshot() as connection:
            recorder = PlanRecorder(connection)
            _, total = await read_board(recorder)
        assert total > 0
        figures.append((recorder.max_rows, recorder.blocks))
    return max(rows for rows, _ in figures), max(blocks for _, blocks in figures)
