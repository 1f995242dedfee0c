"""Accepted submissions are logged, or a share of them."""

from random import Random
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from app.domain.ledger.receipts import Receipt
from app.domain.ledger.transactions import Actor, Kind
from app.services.submissions.submission_log import SubmissionLog
from tests.support.runtime import runtime_for
from tests.unit.domain.score_requests import ALICE, NEW_ID, request

RECEIPT = Receipt(NEW_ID, ALICE, "global", previous_score=10, new_score=60, current_rank=3)


@pytest.mark.parametrize(("rate", "fewest", "most"), [(0, 0, 0), (0.25, 60, 140), (1, 400, 400)])
def test_the_share_that_is_set_is_logged(rate: float, fewest: int, most: int):
    log = SubmissionLog(runtime_for(random=Random(1)), rate=rate)
    with capture_logs() as lines:
        for _ in range(400):
            log.accepted(request(), RECEIPT, log.now())
    assert fewest <= len(lines) <= most


def test_a_line_says_who_acted_for_the_player():
    log = SubmissionLog(runtime_for(monotonic=iter([1.0, 1.25]).__next__), rate=1)
    back_end = Actor(UUID(int=7), "server")
    with capture_logs() as lines:
        log.accepted(request(kind=Kind.SERVER_ACTION, actor=back_end), RECEIPT, log.now())
    (line,) = lines
    assert (line["user"], line["actor"], line["kind"]) == (str(ALICE.id), str(back_end.id), Kind.SERVER_ACTION.value)
    assert (line["score_delta"], line["new_score"], line["rank"], line["latency_ms"]) == (50, 60, 3, 250.0)
