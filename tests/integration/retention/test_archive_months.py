"""Closed months move to files that can be verified, and everything that is computed from the ledger stays the same."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from app.config import Settings
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from app.domain.errors import AlreadyCompleted, BadUserInput
from app.domain.ledger.transactions import Actor
from app.domain.users import Role
from app.models.statements.boards.past_boards import ChunkLimits
from app.models.statements.ledger.partitions import Month
from app.models.statements.retention.archived_months import MonthChanged, MonthFileRecord
from app.services.boards.checkpoints import Checkpoints
from app.services.retention import archive_months
from app.services.retention.month_file import MonthFileError
from app.services.submissions.record_action import ActionReport
from app.wiring import App
from tests.support.boards.ledgers import MODERATOR, award, breaches, rows, scores
from tests.support.manual_clock import WallClock
from tests.support.service import caller, opened
from tests.support.wait_until import until

ALICE, BOB, CAROL = caller("alice"), caller("bob"), caller("carol")
ONCE = {"id": "ONCE", "name": "Once", "category": "global", "points": 10, "repeatable": False}
MONTHS = 6


@pytest.fixture
def clock() -> WallClock:
    return WallClock()


@pytest.fixture
async def app(settings: Settings, clock: WallClock) -> AsyncIterator[App]:
    """A service whose players have played for half a year."""
    async with opened(settings, clock) as app:
        await app.catalogue_changes.apply([], [ONCE], Actor(None, "operator"), "test")
        await app.submit_score(ALICE, (await app.issue_token(ALICE, "ONCE")).token, address="8.8.8.8")
        for month in range(MONTHS):
            for who in (ALICE, BOB):
                await award(app, who, 10 + month)
                await award(app, who, 3, "arcade")
            if month == 1:
                await app.moderation.corrections.adjust(MODERATOR, BOB.user_id, "global", 5, "a private reason", "k")
            if month % 2:
                await award(app, CAROL, 1)
            clock.advance(days=31)
            await app.partitions.ensure()
        await app.cleanup()
        await app.anchors.anchor()
        await app.ledger.drain()
        yield app


def first_kept(clock: WallClock) -> Month:
    return Month.of(clock()).after(-3)


async def archived(app: App, folder: Path, clock: WallClock) -> list[MonthFileRecord]:
    return await app.archive_months(folder, first_kept(clock), lambda *_: None)


async def totals_of(app: App) -> list[object]:
    profiles = [await app.player_profile(who.user_id, None) for who in (ALICE, BOB)]
    return [(profile.totals, profile.achievements) for profile in profiles if profile is not None]


async def wrong_files(app: App, *files: Path) -> list[str]:
    return (await app.verify_months(files, lambda *_: None)).violations


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl.gz"))


async def test_everything_stays_valid_and_as_it_was(app: App, clock: WallClock, tmp_path: Path):
    (before,) = await rows(app, "SELECT count(*) AS number FROM score_transactions")
    boards = await scores(app)
    totals = await totals_of(app)
    records = await archived(app, tmp_path, clock)
    assert len(records) >= 2
    (after,) = await rows(app, "SELECT count(*) AS number FROM score_transactions")
    assert after.number + sum(record.transactions for record in records) == before.number
    assert await scores(app) == boards
    assert await totals_of(app) == totals
    assert await breaches(app) == []
    segments = await rows(app, "SELECT user_id FROM archived_segments")
    assert len(segments) == len({row.user_id for row in segments}), "adjacent segments were merged"
    partitions = await rows(app, "SELECT to_regclass(:name) AS oid", name=records[0].month.partition)
    assert partitions[0].oid is None
    await award(app, ALICE, 7)
    assert await breaches(app) == []


async def test_the_files_are_verified_alone_and_together(app: App, clock: WallClock, tmp_path: Path):
    records = await archived(app, tmp_path, clock)
    files = files_of(tmp_path)
    assert [file.name for file in files] == [record.file for record in records]
    assert await wrong_files(app, *files) == []
    for file in files:
        assert await wrong_files(app, file) == []
    result = await app.verify_months(files, lambda *_: None)
    assert result.checked == sum(record.transactions for record in records)


async def test_the_files_contain_no_address_and_no_reason(app: App, clock: WallClock, tmp_path: Path):
    await archived(app, tmp_path, clock)
    content = b"".join(gzip.decompress(file.read_bytes()) for file in files_of(tmp_path))
    assert b"address_commitment" in content
    assert b"8.8.8.8" not in content
    assert b"private reason" not in content


def rewritten(file: Path, change: str) -> None:
    """Change a month file, and its manifest to match."""
    lines = gzip.decompress(file.read_bytes()).splitlines()
    match change:
        case "points":
            entry = json.loads(lines[1])
            entry["transaction"]["points"] += 1
            lines[1] = json.dumps(entry).encode()
        case "removed":
            del lines[1]
        case "order":
            lines[1], lines[2] = lines[2], lines[1]
        case "cut":
            lines.pop()
    file.write_bytes(gzip.compress(b"\n".join(lines) + b"\n"))
    manifest = file.with_name(f"{file.name}.manifest.json")
    content = json.loads(manifest.read_text()) | {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    manifest.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("points", "its content does not match its hash"),
        ("removed", "does not match its counts and digest"),
        ("order", "must be in ascending order"),
        ("cut", "its last line is missing"),
    ],
)
async def test_a_file_that_was_altered_is_named(app: App, clock: WallClock, tmp_path: Path, change: str, named: str):
    await archived(app, tmp_path, clock)
    first = files_of(tmp_path)[0]
    rewritten(first, change)
    found = await wrong_files(app, first)
    assert any(named in sentence for sentence in found)
    assert any("its SHA-256 is not the one in the database" in sentence for sentence in found)


async def test_a_file_that_is_damaged_is_named(app: App, clock: WallClock, tmp_path: Path):
    await archived(app, tmp_path, clock)
    first = files_of(tmp_path)[0]
    first.write_bytes(first.read_bytes()[:-10])
    assert any("its SHA-256 is not that of the manifest" in sentence for sentence in await wrong_files(app, first))


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE archived_segments SET last_hash = 'x'",
        "UPDATE archived_segments SET last_seq = last_seq - 1 WHERE last_seq > first_seq",
        "DELETE FROM archived_segments",
        "UPDATE archived_totals SET delta = delta + 1",
    ],
)
async def test_what_the_database_keeps_is_checked(app: App, clock: WallClock, tmp_path: Path, change: str):
    await archived(app, tmp_path, clock)
    async with app.database.begin() as connection:
        await connection.execute(text(change))
    assert await breaches(app) != []


@pytest.mark.parametrize("step", ["_write", "_verify", "replace_month"])
async def test_an_interruption_loses_nothing_and_repeating_it_is_safe(
    app: App, clock: WallClock, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
):
    (before,) = await rows(app, "SELECT count(*) AS number FROM score_transactions")

    class Interrupted(Exception):
        pass

    owner = archive_months if step == "replace_month" else archive_months.ArchiveMonths
    original = getattr(owner, step)

    async def interrupted(*arguments: object) -> None:
        await original(*arguments)
        raise Interrupted

    with monkeypatch.context() as patched:
        patched.setattr(owner, step, interrupted)
        with pytest.raises(Interrupted):
            await archived(app, tmp_path, clock)
    (after,) = await rows(app, "SELECT count(*) AS number FROM score_transactions")
    assert after.number == before.number
    assert await breaches(app) == []
    assert len(await archived(app, tmp_path, clock)) >= 2
    assert await archived(app, tmp_path, clock) == []
    assert await breaches(app) == []
    assert await wrong_files(app, *files_of(tmp_path)) == []


async def test_a_file_that_cannot_be_read_back_keeps_its_month(
    app: App, clock: WallClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    original = archive_months.ArchiveMonths._write

    async def damaged(self: archive_months.ArchiveMonths, file: Path, *rest: object) -> MonthFileRecord:
        record = await original(self, file, *rest)  # type: ignore[arg-type]
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(bytes(content))
        return record

    monkeypatch.setattr(archive_months.ArchiveMonths, "_write", damaged)
    with pytest.raises(MonthFileError):
        await archived(app, tmp_path, clock)
    assert await rows(app, "SELECT 1 FROM archived_months") == []
    assert await breaches(app) == []


async def test_a_transaction_that_was_added_meanwhile_keeps_the_month(
    app: App, clock: WallClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    original = archive_months.ArchiveMonths._verify

    async def verify_late(self: archive_months.ArchiveMonths, *rest: object) -> None:
        await original(self, *rest)  # type: ignore[arg-type]
        async with app.database.begin() as connection:
            await connection.execute(
                text(
                    """
                    INSERT INTO score_transactions (id, user_id, seq, kind, points, delta, score, actor_role,
                                                    created_at, previous_hash, hash)
                    SELECT gen_random_uuid(), user_id, 1000, 'HIDING', 0, 0, 0, 'server', min(created_at), '', ''
                    FROM score_transactions GROUP BY user_id ORDER BY min(created_at) LIMIT 1
                    """
                )
            )

    monkeypatch.setattr(archive_months.ArchiveMonths, "_verify", verify_late)
    with pytest.raises(MonthChanged):
        await archived(app, tmp_path, clock)
    assert await rows(app, "SELECT 1 FROM archived_months") == []


async def test_players_play_while_months_are_archived(app: App, clock: WallClock, tmp_path: Path):
    async def play(who: str) -> None:
        for _ in range(10):
            await award(app, caller(who), 2)

    records, *_ = await asyncio.gather(archived(app, tmp_path, clock), *(play(who) for who in ("alice", "dave")))
    assert len(records) >= 2
    assert await breaches(app) == []


async def test_boards_of_the_past_are_as_before_back_to_the_archived_months(app: App, clock: WallClock, tmp_path: Path):
    category = app.catalogue.current.category("global")
    kept = app.board_queries.board(category, Period.ALL_TIME, clock() - timedelta(days=40))
    gone = app.board_queries.board(category, Period.ALL_TIME, clock() - timedelta(days=130))
    await app.board_reader.page(gone, Slice(0, 10))
    before = (await app.board_reader.page(kept, Slice(0, 10))).entries
    assert len(before) == 3
    await archived(app, tmp_path, clock)
    # Another view, since the first one is cached for a moment.
    assert (await app.board_reader.page(kept, Slice(0, 11))).entries == before
    with pytest.raises(BadUserInput, match=r"`at` must be .* or later: earlier transactions were archived"):
        await app.board_reader.page(gone, Slice(0, 11))


@pytest.mark.parametrize("step", [1, 3, 1000], ids=["every transaction", "some", "no checkpoint"])
async def test_past_boards_from_checkpoints_are_as_before_the_archived_months(
    app: App, clock: WallClock, tmp_path: Path, step: int
):
    checkpoints = Checkpoints(app.database, app.catalogue, app.runtime, step, ChunkLimits(size=2, max_moves=3))
    category = app.catalogue.current.category("global")
    boards = [
        app.board_queries.board(category, Period.ALL_TIME, clock() - timedelta(days=days)) for days in (60, 40, 20, 1)
    ]

    async def shown(limit: int) -> list[object]:
        pages = [await app.board_reader.page(board, Slice(0, limit)) for board in boards]
        standings = [await app.board_reader.standings(board, [ALICE.user_id, BOB.user_id]) for board in boards]
        return [[page.entries for page in pages], [[one.rank for one in row] for row in standings]]

    await checkpoints()
    before = await shown(10)
    await archived(app, tmp_path, clock)
    app.past_answers.clear()
    assert await shown(11) == before
    await checkpoints()  # Those that are left still agree with the ledger, and new ones follow them.
    app.past_answers.clear()
    assert await shown(12) == before


async def test_a_month_is_dropped_once_nobody_reads_the_whole_ledger(
    app: App, clock: WallClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(archive_months, "LOCK_RETRY_DELAY", 0.05)
    async with app.database.snapshot() as reader:
        await reader.execute(text("SELECT count(*) FROM score_transactions"))
        archiving = asyncio.create_task(archived(app, tmp_path, clock))
        await until(lambda: any(tmp_path.glob("*.jsonl.gz")))
        await asyncio.gather(*(award(app, who, 1) for who in (ALICE, BOB)))
        assert not archiving.done()
    assert len(await archiving) >= 2
    assert await breaches(app) == []


async def test_what_was_done_once_cannot_be_done_again(app: App, clock: WallClock, tmp_path: Path):
    await archived(app, tmp_path, clock)
    app.account_cache.invalidate_all()
    with pytest.raises(AlreadyCompleted):
        await app.submit_score(ALICE, (await app.issue_token(ALICE, "ONCE")).token)


async def test_metadata_that_an_entry_shows_is_kept(app: App, clock: WallClock, tmp_path: Path):
    category = {"id": "races", "name": "Races", "operator": "BEST", "entryMetadata": True}
    action = {"id": "RUN", "name": "Run", "category": "races", "kind": "STATED"}
    await app.catalogue_changes.apply([category], [action], Actor(None, "operator"), "test")
    server = caller("game", Role.SERVER)
    for number, value in enumerate((50, 90, 70)):
        report = ActionReport(ALICE.user_id, "RUN", str(number), value=value, metadata={"run": number})
        await app.record_actions.record(server, report)
        clock.advance(seconds=1)
    clock.advance(days=200)
    await app.partitions.ensure()
    await archived(app, tmp_path, clock)
    kept = await rows(app, "SELECT content FROM entry_metadata")
    assert [row.content for row in kept] == ['{"run":1}']


async def test_recent_months_are_not_archived(app: App, clock: WallClock, tmp_path: Path):
    with pytest.raises(BadUserInput, match="the database as long as the settings say"):
        await app.archive_months(tmp_path, Month.of(clock()), lambda *_: None)
    assert files_of(tmp_path) == []


async def test_an_export_without_the_archived_months_is_refused(app: App, clock: WallClock, tmp_path: Path):
    assert [line async for line in app.export.lines(lambda *_: None)]
    await archived(app, tmp_path, clock)
    with pytest.raises(BadUserInput, match="Back up the database and the month files"):
        [line async for line in app.export.lines(lambda *_: None)]


async def test_late_transactions_of_an_archived_month_make_another_part(app: App, clock: WallClock, tmp_path: Path):
    (first, *_) = await archived(app, tmp_path, clock)
    later = clock()
    clock.now = first.month.start.replace(day=20)
    await award(app, caller("dave"), 4)
    clock.now = later
    await app.partitions.ensure()
    (second,) = await archived(app, tmp_path, clock)
    assert (second.month, second.part, second.transactions) == (first.month, 2, 1)
    assert await breaches(app) == []
    assert await wrong_files(app, *files_of(tmp_path)) == []
