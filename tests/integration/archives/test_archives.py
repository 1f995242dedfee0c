"""Export and import: everything comes over, unaltered, and once."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from app.config import Settings
from app.domain.ledger.transactions import Actor
from app.domain.users import Role
from app.services.archives.archive_reader import ArchiveError
from app.wiring import App
from tests.support.boards.ledgers import MODERATOR, award, breaches, rows, scores
from tests.support.manual_clock import WallClock
from tests.support.service import caller, opened, settings_for
from tests.support.stores import Databases

CATEGORIES = [
    {"id": "races", "name": "Races", "sortOrder": "LOW_FIRST", "operator": "BEST", "entryMetadata": True},
    {"id": "ladder", "name": "Ladder", "operator": "LATEST", "periods": ["ALL_TIME", "WEEKLY"]},
]
LEDGER = "SELECT * FROM score_transactions ORDER BY user_id, seq"
USERS = "SELECT * FROM users ORDER BY id"


@asynccontextmanager
async def elsewhere(databases: Databases, redis_url: str) -> AsyncIterator[App]:
    """Another installation, fresh."""
    url = await databases.create()
    async with opened(settings_for(url, redis_url)) as app:
        yield app
    await databases.drop(url)


async def exported(app: App) -> list[bytes]:
    return [line async for line in app.export.lines(lambda *_: None)]


async def imported(app: App, lines: list[bytes]) -> dict[str, int]:
    merged = await app.import_archive(lines, lambda *_: None)
    return {name: count for name, count in merged.items() if count}


async def live_a_little(app: App, clock: WallClock) -> None:
    """Days of play in categories of all operators, and all that moderators can do."""
    await app.catalogue_changes.apply(CATEGORIES, [], Actor(None, "operator"), "for the test")
    users = [caller(f"user {number}") for number in range(5)]
    for day in range(9):
        for number, user in enumerate(users):
            clock.advance(minutes=7)
            await award(app, user, 10 * number + day + 1)
            await award(app, user, 100 - (day * number) % 7, "races", metadata={"day": day})
            await award(app, user, 50 + (day * 3 + number) % 11, "ladder")
        clock.advance(days=1)
    moderation = app.moderation
    await moderation.corrections.adjust(MODERATOR, users[0].user_id, "global", 77, "generous", "key-1")
    best = await award(app, users[1], 1, "races")
    receipt = await award(app, users[1], 33)
    clock.advance(seconds=5)
    await moderation.corrections.revert(MODERATOR, receipt.transaction_id, "a mistake")
    await moderation.corrections.revert(MODERATOR, best.transaction_id, "impossible")
    await moderation.visibility.hide(MODERATOR, users[2].user_id, "rude")
    await award(app, users[2], 5)
    await moderation.visibility.hide(MODERATOR, users[3].user_id, "rude")
    await moderation.visibility.unhide(MODERATOR, users[3].user_id, "sorry")
    await moderation.deletion(MODERATOR, users[4].user_id, "asked for it")


@pytest.fixture
async def lived(settings: Settings) -> AsyncIterator[App]:
    clock = WallClock()
    async with opened(settings, clock) as app:
        await live_a_little(app, clock)
        await app.ledger.drain()
        await app.milestones.flush()
        yield app


async def test_an_import_brings_users_catalogue_ledger_and_every_score(
    lived: App, databases: Databases, redis_url: str
):
    async with elsewhere(databases, redis_url) as other:
        await imported(other, await exported(lived))
        for statement in (USERS, LEDGER, "SELECT * FROM categories ORDER BY id", "SELECT * FROM actions ORDER BY id"):
            assert await rows(other, statement) == await rows(lived, statement)
        milestones = "SELECT * FROM milestones ORDER BY user_id, category_id, kind, threshold"
        assert await rows(other, milestones) == await rows(lived, milestones)
        metadata = "SELECT * FROM entry_metadata ORDER BY user_id, category_id, reached_at, period"
        assert await rows(other, metadata) == await rows(lived, metadata)
        assert len(await rows(other, metadata)) > 30
        imported_changes = await rows(other, "SELECT subject_id FROM catalogue_changes WHERE reason = 'Imported'")
        assert sorted(row.subject_id for row in imported_changes) == ["ladder", "races"]
        assert await scores(other) == await scores(lived), "windows, reached_at and who is hidden included"
        for category in other.catalogue.current.categories.values():
            await other.rebuild.rebuild(category, force=True)
        assert await breaches(other) == []


async def test_a_second_import_changes_nothing(lived: App, databases: Databases, redis_url: str):
    lines = await exported(lived)
    async with elsewhere(databases, redis_url) as other:
        assert (await imported(other, lines))["transaction"] > 100
        assert await imported(other, lines) == {}
    assert await imported(lived, lines) == {}, "nor does one into the installation it came from"


async def test_a_newer_archive_continues_the_chains_that_an_older_one_began(
    lived: App, databases: Databases, redis_url: str
):
    older = await exported(lived)
    dave = caller("dave")
    user = (await rows(lived, "SELECT id, username FROM users WHERE username = 'user 0'"))[0]
    await award(lived, dave, 5)
    known = caller(user.username)
    await award(lived, type(known)(user.id, user.username, None, Role.PLAYER, known.expires_at), 9)
    async with elsewhere(databases, redis_url) as other:
        await imported(other, older)
        changed = await imported(other, await exported(lived))
        assert changed["transaction"] == 2
        assert changed["user"] == 1
        assert await scores(other) == await scores(lived)
        assert "transaction" not in await imported(other, older), "an older archive takes nothing back"
        assert await scores(other) == await scores(lived)


async def test_an_import_into_a_played_database_keeps_what_is_there(lived: App, databases: Databases, redis_url: str):
    async with elsewhere(databases, redis_url) as other:
        namesake = caller("user 0")
        await award(other, namesake, 42)
        await imported(other, await exported(lived))
        names = [row.username for row in await rows(other, "SELECT username FROM users WHERE username LIKE 'user 0%'")]
        assert len(names) == 2
        assert "user 0" in names, "who has the name keeps it"
        kept = await rows(
            other, "SELECT score FROM scores WHERE user_id = :id AND period = 'DAILY'", id=namesake.user_id
        )
        assert [row.score for row in kept] == [42]


def altered(lines: list[bytes], **changes: object) -> list[bytes]:
    """The archive with one transaction in the middle changed."""
    standings = [index for index, line in enumerate(lines) if line.startswith(b'{"transaction"')]
    where = standings[len(standings) // 2]
    content = json.loads(lines[where])
    content["transaction"] |= changes
    return [*lines[:where], json.dumps(content).encode() + b"\n", *lines[where + 1 :]]


def without_one(lines: list[bytes], name: str) -> list[bytes]:
    where = [index for index, line in enumerate(lines) if line.startswith(b'{"%s"' % name.encode())]
    end = json.loads(lines[-1])
    end["end"][name] -= 1
    gone = where[len(where) // 2]
    return [*lines[:gone], *lines[gone + 1 : -1], json.dumps(end).encode()]


def with_a_token(lines: list[bytes], user_id: UUID) -> list[bytes]:
    """The archive with a used token of that user behind its transactions."""
    instant = "2026-01-01T00:00:00.000000+00:00"
    token = {"token_hash": "ab" * 32, "user_id": str(user_id), "action_id": "COMPLETE_QUIZ", "points": 10}
    token |= dict.fromkeys(("issued_at", "expires_at", "used_at"), instant) | {"attributes": None}
    end = json.loads(lines[-1])
    end["end"]["token"] += 1
    last = max(index for index, line in enumerate(lines) if line.startswith(b'{"transaction"'))
    added = json.dumps({"token": token}).encode() + b"\n"
    return [*lines[: last + 1], added, *lines[last + 1 : -1], json.dumps(end).encode()]


async def test_an_archive_that_was_tampered_with_is_refused_and_changes_nothing(
    lived: App, databases: Databases, redis_url: str
):
    lines = await exported(lived)
    user = next(index for index, line in enumerate(lines) if line.startswith(b'{"user"'))
    spoiled = {
        "does not match its hash": altered(lines, delta=1000),
        "does not continue": without_one(lines, "transaction"),
        "is incomplete": lines[:-1],
        "must be the header": lines[1:],
        "the archive should have": [*lines[:-2], lines[-1]],
        "must be a JSON object": [*lines[:5], b"{]\n", *lines[5:]],
        "in the wrong place": [lines[0], lines[user], *lines[1:user], *lines[user + 1 :]],
        "transaction .* belongs to a user who does not exist": without_one(lines, "user"),
        "token .* belongs to a user who does not exist": with_a_token(lines, UUID(int=1)),
        "not a valid transaction": altered(lines, created_at="yesterday"),
        "unknown kind of record": [*lines[:5], b'{"spell": {}}\n', *lines[5:]],
    }
    async with elsewhere(databases, redis_url) as other:
        for complaint, archive in spoiled.items():
            with pytest.raises(ArchiveError, match=complaint):
                await imported(other, archive)
        assert await rows(other, USERS) == []
        assert await rows(other, LEDGER) == []
        assert len(await rows(other, "SELECT * FROM categories")) == 3


async def test_a_chain_that_differs_from_the_archives_is_an_error(lived: App, databases: Databases, redis_url: str):
    lines = await exported(lived)
    async with elsewhere(databases, redis_url) as other:
        await imported(other, lines)
        async with other.database.begin() as connection:
            await connection.exec_driver_sql(
                "UPDATE score_transactions SET hash = 'x' WHERE (user_id, seq) = (SELECT id, 2 FROM users LIMIT 1)"
            )
        with pytest.raises(ArchiveError, match="here and"):
            await imported(other, lines)


async def test_an_export_is_of_one_moment_however_busy_the_service_is(app: App, databases: Databases, redis_url: str):
    users = [caller(f"user {number}") for number in range(10)]

    async def play(who: int) -> None:
        for _ in range(15):
            await award(app, users[who], 1)

    playing = asyncio.gather(*(play(who) for who in range(10)))
    archives = [await exported(app) for _ in range(5)]
    await playing
    async with elsewhere(databases, redis_url) as other:
        for lines in archives:
            await imported(other, lines)
            assert [s for s in await breaches(other) if not s.startswith("board")] == []
