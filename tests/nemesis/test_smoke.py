"""A short run: six faults, after which nothing is lost and everybody shows the truth."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.nemesis import checker
from tests.nemesis.run import run, summary
from tests.nemesis.schedule import PlannedFault, Round

ROUNDS = (
    # Longer than the time-out of statements, so that what was sent is carried out after the caller was refused.
    (PlannedFault("postgres frozen", 0.5, 3.0, 1),),
    (PlannedFault("redis frozen", 0.5, 2.0, 2),),
    (PlannedFault("instance killed", 0.5, 0.5, 3), PlannedFault("redis killed", 0.7, 1.0, 4)),
    (PlannedFault("postgres commits unanswered", 0.5, 2.0, 5),),
    (PlannedFault("network of postgres half open", 0.5, 1.0, 6), PlannedFault("redis flushed", 1.0, 0.5, 7)),
    (PlannedFault("instance replaced", 0.5, 1.0, 8),),
)


@pytest.mark.timeout(900)
async def test_nothing_is_lost_and_everybody_converges(tmp_path: Path):
    planned = [Round(number, faults) for number, faults in enumerate(ROUNDS, 1)]
    history = await run(1, planned, tmp_path)
    assert checker.breaches(history.records) == {}, summary(history)
    told = [record for record in history.of("attempt") if "receipt" in record]
    assert len(told) > 20
    assert len(list(history.of("fault"))) == sum(map(len, ROUNDS))
