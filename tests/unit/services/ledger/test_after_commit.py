"""After the commit nothing fails any more, whatever happens to the board index."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast
from uuid import UUID, uuid4

import pytest

from app.domain.ledger.posting import Posting, ScoreChange, post
from app.services.board_index import BoardIndex, BoardNotLoaded, PutResult, Ranks
from app.services.ledger.after_commit import AfterCommit
from app.stores.redis_caller import RedisUnreachable
from tests.unit.domain.score_requests import CATEGORY, NOW, account, request


class FakeBoardIndex:
    """A board index that returns rank 7, or fails as configured."""

    def __init__(self) -> None:
        self.failures: dict[str, Exception] = {}
        self.put_rows: list[ScoreChange] = []

    async def put(self, score_changes: Sequence[ScoreChange], transaction_id: UUID) -> PutResult:
        await asyncio.sleep(0)
        if failure := self.failures.get(score_changes[0].board.category):
            raise failure
        self.put_rows += score_changes
        return PutResult([Ranks(None, 7) for _ in score_changes], [])


class RankRecorder:
    """Records ranks, and may fail."""

    def __init__(self) -> None:
        self.ranks: list[int | None] = []
        self.failure: Exception | None = None

    def __call__(self, posting: Posting, rank: int | None) -> None:
        self.ranks.append(rank)
        if self.failure:
            raise self.failure


class MissedRecorder:
    """Records what was missed."""

    def __init__(self) -> None:
        self.missed: list[tuple[str, datetime]] = []

    async def __call__(self, category: str, since: datetime) -> None:
        self.missed.append((category, since))


@pytest.fixture
def missed() -> MissedRecorder:
    return MissedRecorder()


@pytest.fixture
def board_index() -> FakeBoardIndex:
    return FakeBoardIndex()


@pytest.fixture
def ranked() -> RankRecorder:
    return RankRecorder()


@pytest.fixture
def after_commit(board_index: FakeBoardIndex, ranked: RankRecorder, missed: MissedRecorder) -> AfterCommit:
    return AfterCommit(
        cast(BoardIndex, board_index),
        lambda _: None,
        lambda: None,
        ranked,
        missed,
        lambda _: None,
        lambda _: None,
        max_batch_size=10,
    )


def posting(category: str = "global") -> Posting:
    return post(request(10, replace(CATEGORY, id=category)), account(), NOW, uuid4())


async def test_receipts_have_the_rank(after_commit: AfterCommit, ranked: RankRecorder):
    receipts = await asyncio.gather(*(after_commit.announce(posting()) for _ in range(3)))
    assert [(receipt.previous_rank, receipt.current_rank) for receipt in receipts] == [(None, 7)] * 3
    assert ranked.ranks == [7, 7, 7]


@pytest.mark.parametrize(
    "failure", [RedisUnreachable("away"), BoardNotLoaded("global"), RuntimeError("a fault in here")]
)
async def test_a_failure_in_one_category_leaves_its_receipts_without_ranks(
    after_commit: AfterCommit, board_index: FakeBoardIndex, failure: Exception
):
    board_index.failures["global"] = failure
    receipts = await asyncio.gather(*(after_commit.announce(posting(category)) for category in ("global", "other")))
    assert [receipt.current_rank for receipt in receipts] == [None, 7]


@pytest.mark.parametrize("failure", [RedisUnreachable("away"), RuntimeError("a fault in here")])
async def test_whatever_fails_in_a_put_counts_as_missed(
    after_commit: AfterCommit, board_index: FakeBoardIndex, missed: MissedRecorder, failure: Exception
):
    board_index.failures["global"] = failure
    await after_commit.announce(posting())
    assert missed.missed == [("global", NOW)]
    assert after_commit.missed == 1


async def test_a_failure_to_handle_a_rank_does_not_affect_the_receipt(after_commit: AfterCommit, ranked: RankRecorder):
    ranked.failure = RuntimeError("a fault in here")
    receipts = await asyncio.gather(*(after_commit.announce(posting()) for _ in range(2)))
    assert [receipt.current_rank for receipt in receipts] == [7, 7]


async def test_a_caller_that_is_cancelled_stops_no_update(
    after_commit: AfterCommit, board_index: FakeBoardIndex, ranked: RankRecorder
):
    receipts = [after_commit.announce(posting()) for _ in range(3)]
    receipts[1].cancel()
    await after_commit.drain()
    assert len(ranked.ranks) == 3
    assert len(board_index.put_rows) == 12
    assert [receipt.done() for receipt in receipts] == [True] * 3
