"""A split board answers exactly as the same board does that is not split."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from struct import Struct

import pytest
from redis.crc import key_slot

from app.domain.boards.board import Board, board_of
from app.domain.boards.periods import Period
from app.domain.instants import to_micros
from app.domain.ledger.posting import ScoreChange
from app.domain.ledger.scoring import ScoreRow
from app.domain.scores import MAX_SCORE
from app.pubsub.channels.events import decode_boards
from app.services.board_index import BoardNotLoaded, ViewRequest, join_member
from app.services.board_index.shards.layout import shard_boards, shard_of
from app.stores.redis_caller import RedisUnreachable
from app.wiring import App
from tests.support.boards.board_rows import BIRTH, user_id
from tests.support.boards.shards import EPOCH, SHARDS, Copies, copies_of

BOARDS = [board_of("global", period, BIRTH) for period in (Period.ALL_TIME, Period.DAILY)]
BOARD = BOARDS[0]

PACKED = Struct(">BqQQ16s")
"""A row as `load.lua` takes it."""

SCORES = [0, 1, 50, 2**32, MAX_SCORE - 1, MAX_SCORE]
"""Few, so that most users are tied; the highest differ by 1."""


@dataclass
class History:
    """Puts of random rows, some of them older than what is there."""

    random: random.Random
    users: int
    sign: int
    revision: int = 1
    rows: dict[int, ScoreRow] = field(default_factory=dict)

    def put(self, users: Sequence[int]) -> list[ScoreChange]:
        """Return the rows of one put: new scores, ties, hidden and shown users, and rows that come late."""
        changes = []
        for user in users:
            self.revision += 1
            row = ScoreRow(
                self.random.choice(SCORES),
                BIRTH + timedelta(microseconds=self.random.randrange(4)),
                self.revision if self.random.random() < 0.8 else 1,
                self.random.random() < 0.15,
            )
            changes += [ScoreChange(board, user_id(user), row, self.sign * row.score) for board in BOARDS]
        return changes

    def some_users(self, count: int) -> list[int]:
        return self.random.sample(range(self.users), count)


def requests_of(history: History) -> list[ViewRequest]:
    """Return views of every kind, of users who are on the board, hidden, or never were."""
    some = history.random
    users = [user_id(number).bytes for number in history.some_users(min(12, history.users))] + [user_id(10_000).bytes]
    positions = [
        join_member(BIRTH + timedelta(microseconds=some.randrange(4)), user_id(some.randrange(history.users)))
        + str(history.sign * some.choice(SCORES)).encode()
        for _ in range(8)
    ]
    return [
        *(("page", some.randrange(40), some.randrange(1, 30)) for _ in range(5)),
        *(("around", user, some.randrange(7)) for user in users),
        *(("place", user, some.randrange(4)) for user in users),
        *(("after", position, some.randrange(1, 9)) for position in positions),
        *(("before", position, some.randrange(1, 9)) for position in (b"", *positions)),
    ]


async def assert_equal_views(copies: Sequence[Copies], requests: Sequence[ViewRequest]) -> None:
    for board in BOARDS:
        whole, parts = [await one.index.views(board, requests) for one in copies]
        assert parts.total == whole.total
        for request, expected, found in zip(requests, whole.views, parts.views, strict=True):
            assert _numbers(found) == _numbers(expected), request


def _numbers(view: Sequence[object]) -> list[object]:
    """Return a view with its sort keys as numbers, which Redis writes as text."""
    return [*view[:3], *(one if i % 2 == 0 else int(one) for i, one in enumerate(view[3:]))]  # type: ignore[call-overload]


@pytest.fixture
async def copies(app: App) -> list[Copies]:
    made = [copies_of(app, "whole", 1), copies_of(app, "parts", SHARDS)]
    for one in made:
        await one.begin(*BOARDS)
    return made


@pytest.mark.parametrize("sign", [-1, 1], ids=["highest first", "lowest first"])
@pytest.mark.parametrize("seed", range(4))
async def test_a_split_board_shows_and_ranks_every_history_as_an_unsplit_one(
    app: App, copies: list[Copies], seed: int, sign: int
):
    history = History(random.Random(seed), users=[3, 12, 40, 40][seed], sign=sign)
    await assert_equal_views(copies, requests_of(history))  # Of nobody.
    for _ in range(25):
        change = history.put(history.some_users(1))
        whole, parts = [await one.index.put(change) for one in copies]
        assert parts.ranks == whole.ranks
        assert [(one.board, one.top_moved) for one in parts.moves] == [
            (one.board, one.top_moved) for one in whole.moves
        ]
    for _ in range(6):
        change = history.put(history.some_users(min(10, history.users)))
        whole, parts = [await one.index.put(change) for one in copies]
        # Of several rows in one put, each is ranked on the board with all of them.
        last = {row.user_id: ranks.after for row, ranks in zip(change, whole.ranks, strict=True)}
        assert {row.user_id for row in change if last[row.user_id]} == {
            row.user_id for row, ranks in zip(change, parts.ranks, strict=True) if ranks.after
        }
        await assert_equal_views(copies, requests_of(history))
    (gone, *_) = history.some_users(1)
    for one in copies:
        for board in BOARDS:
            await one.loader.remove_users(board, [user_id(gone)])
    await assert_equal_views(copies, requests_of(history))
    for board in BOARDS:
        whole, parts = [await one.loader.digests(board) for one in copies]
        assert (parts[0], parts[1].total) == (whole[0], whole[1].total)
        assert not parts[1].differing(whole[1])
        assert [await one.loader.size(board) for one in copies[:1]] == [await copies[1].loader.size(board)]
        assert await copies[1].loader.leaders(board, 9) == await copies[0].loader.leaders(board, 9)
        assert await copies[1].loader.users(board) == await copies[0].loader.users(board)


async def test_a_deep_page_is_found_in_at_most_eight_rounds(app: App):
    copies = [copies_of(app, "whole", 1), copies_of(app, "parts", SHARDS)]
    some = random.Random(1)
    rows = [(user_id(number), some.randrange(2_000)) for number in range(6_000)]
    packed = b"".join(
        PACKED.pack(1, -score, 1, to_micros(BIRTH), user.bytes) for user, score in sorted(rows, key=lambda row: -row[1])
    )
    for one in copies:
        await one.begin(BOARD)
        for start in range(0, len(packed), 41_000):
            await one.index.load(BOARD, EPOCH, packed[start : start + 41_000])
    for offset in (0, 399, 401, 450, 1_000, 2_999, 3_500, 5_500, 5_699, 5_950, 5_999, 6_000, 7_000):
        request: ViewRequest = ("page", offset, 100)
        before = copies[1].caller.seconds.count
        parts = await copies[1].index.views(BOARD, [request])
        assert copies[1].caller.seconds.count - before <= 8
        whole = await copies[0].index.views(BOARD, [request])
        assert _numbers(parts.views[0]) == _numbers(whole.views[0]), offset


async def test_the_version_grows_with_every_change_of_any_shard_and_is_that_of_the_announcement(copies: list[Copies]):
    parts, versions = copies[1], []
    for number in range(12):
        result = await parts.index.put([_change(number, 100 - number)])
        version = await parts.index.version(BOARD)
        assert [move.version for move in result.moves] == [version]
        versions.append(version)
    assert [version.number for version in versions] == list(range(1, 13))
    assert len({version.epoch for version in versions}) == 1


async def test_one_message_announces_what_changed_in_all_shards(app: App, copies: list[Copies]):
    parts = copies[1]
    async with app.redis.pubsub() as listener:
        await listener.ssubscribe(parts.keys.channel("global"))
        await parts.index.put([_change(number, number) for number in range(20)])
        async with asyncio.timeout(60):
            while (message := await listener.get_message(timeout=1)) is None or message["type"] != "smessage":
                pass
    moves = decode_boards("global", message["data"].decode())
    assert moves is not None
    assert [(move.board, move.version, move.top_moved) for move in moves] == [
        (BOARD.key, await parts.index.version(BOARD), True)
    ]


async def test_shards_lie_in_equal_parts_of_the_slots_of_a_cluster(copies: list[Copies]):
    slots = [key_slot(copies[1].keys.meta(part.category).encode()) for part in shard_boards(BOARD, SHARDS)]
    assert [slot * SHARDS // 16_384 for slot in slots] == list(range(SHARDS))
    users = [shard_of(user_id(number).bytes, SHARDS) for number in range(3_000)]
    assert all(900 < users.count(shard) < 1_100 for shard in range(SHARDS))


@pytest.mark.parametrize("loss", ["meta", "order", "members", "everything"])
async def test_a_board_of_which_one_shard_lost_something_is_not_read_or_written(
    app: App, copies: list[Copies], loss: str
):
    parts = copies[1]
    await parts.index.put([_change(number, number) for number in range(20)])
    lost = shard_boards(BOARD, SHARDS)[1]
    keys = {
        "meta": parts.keys.meta(lost.category),
        "order": parts.keys.order(lost),
        "members": parts.keys.members(lost),
    }
    await app.redis.delete(*keys.values() if loss == "everything" else [keys[loss]])
    in_other_shard = next(number for number in range(20) if shard_of(user_id(number).bytes, SHARDS) != 1)
    with pytest.raises(BoardNotLoaded):
        await parts.index.views(BOARD, [("page", 0, 10)])
    with pytest.raises(BoardNotLoaded):
        await parts.index.views(BOARD, [("place", user_id(in_other_shard).bytes, 0)])
    with pytest.raises(BoardNotLoaded):
        await parts.index.put([_change(in_other_shard, 500)])
    state = await parts.loader.examine("global", [BOARD])
    assert state.fault == ("missing" if loss in ("meta", "everything") else "incomplete")


async def test_shards_of_two_epochs_are_not_read_or_written(app: App, copies: list[Copies]):
    parts = copies[1]
    await parts.index.put([_change(number, number) for number in range(20)])
    await app.redis.hset(parts.keys.meta(shard_boards(BOARD, SHARDS)[2].category), "epoch", "f" * 32)
    with pytest.raises(BoardNotLoaded):
        await parts.index.views(BOARD, [("page", 0, 10)])
    with pytest.raises(BoardNotLoaded):
        await parts.index.put([_change(1, 500)])
    assert (await parts.loader.examine("global", [BOARD])).fault == "not_ready"


async def test_a_shard_of_another_run_of_its_server_is_not_trusted(app: App, copies: list[Copies]):
    parts = copies[1]
    await app.redis.hset(parts.keys.meta(shard_boards(BOARD, SHARDS)[2].category), "run", "0" * 40)
    with pytest.raises(BoardNotLoaded):
        await parts.index.views(BOARD, [("page", 0, 10)])
    with pytest.raises(BoardNotLoaded):
        await parts.index.put([_change(1, 500)])
    assert (await parts.loader.examine("global", [BOARD])).fault == "other_run"


async def test_of_a_closed_window_nothing_is_read_unless_every_shard_has_somebody(app: App, copies: list[Copies]):
    parts, later = copies[1], copies_of(app, "parts", SHARDS, days=1)
    daily = BOARDS[1]
    by_shard = {shard_of(user_id(number).bytes, SHARDS): number for number in range(50)}
    await parts.index.put([_change(by_shard[0], 5, daily), _change(by_shard[1], 6, daily)])
    assert (await parts.index.views(daily, [])).total == 2
    with pytest.raises(BoardNotLoaded):
        await later.index.views(daily, [])
    # A row that is committed right before the end of the window may come after it.
    await later.index.put([_change(by_shard[2], 7, daily)])
    with pytest.raises(BoardNotLoaded):
        await later.index.views(daily, [])
    await parts.index.put([_change(by_shard[2], 7, daily)])
    assert (await later.index.views(daily, [])).total == 3


async def test_a_put_on_a_closed_window_that_a_shard_lost_still_changes_the_open_boards(app: App, copies: list[Copies]):
    parts, later, daily = copies[1], copies_of(app, "parts", SHARDS, days=1), BOARDS[1]
    await parts.index.put([_change(number, number, board) for number in range(20) for board in BOARDS])
    await app.redis.delete(parts.keys.order(shard_boards(daily, SHARDS)[1]))  # Evicted.
    for number in (0, 1, 2):
        result = await later.index.put([_change(number, 50 + number, board, revision=2) for board in BOARDS])
        assert result.ranks[0].after == 1
        assert [move.board for move in result.moves] == [BOARD.key]
    with pytest.raises(BoardNotLoaded):
        await later.index.views(daily, [])


async def test_a_user_who_moves_while_a_view_is_read_is_found_where_the_user_is_then(copies: list[Copies]):
    parts = copies[1]
    await parts.index.put([_change(number, 1_000 + number) for number in range(40)])

    async def move() -> None:
        for turn in range(60):
            await parts.index.put([_change(7, 2_000 * (turn % 2) + turn, revision=turn + 2)])

    seen = set()
    async with asyncio.TaskGroup() as group:
        moving = group.create_task(move())
        while not moving.done():
            try:
                reply = await parts.index.views(BOARD, [("page", 0, 40), ("place", user_id(7).bytes, 0)])
            except RedisUnreachable:  # Moved during every attempt.
                continue
            page, place = reply.views
            offset, _, _, member, sort_key = place
            assert [member, int(sort_key)] == [page[3 + 2 * offset], int(page[4 + 2 * offset])]
            seen.add(offset)
    assert seen >= {0, 39}


def _change(number: int, score: int, board: Board = BOARD, *, revision: int = 1) -> ScoreChange:
    return ScoreChange(board, user_id(number), ScoreRow(score, BIRTH, revision, False), -score)
