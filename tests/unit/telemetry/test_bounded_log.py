"""Lines that strangers can cause are bounded in number."""

from typing import Any

from app.telemetry.bounded_log import BoundedLog
from tests.support.runtime import runtime_for
from tests.support.wait_until import until


class Lines:
    """A logger that keeps its lines, and a clock that a test sets."""

    def __init__(self, **bounds: Any) -> None:
        self.now = 1000.0
        self.lines: list[dict[str, Any]] = []
        self.log = BoundedLog(self, runtime_for(monotonic=lambda: self.now), **bounds)

    def info(self, event: str, **facts: Any) -> None:
        self.lines.append(facts)

    def warning(self, event: str, **facts: Any) -> None:
        self.lines.append({"event": event, **facts})


def test_a_key_is_logged_once_per_interval_and_then_how_many_lines_were_left_out():
    kept = Lines(interval=10)
    for n in range(5):
        kept.log.info("refused", key="a", n=n)
    kept.log.info("refused", key="b", n=0)
    assert kept.lines == [{"n": 0}, {"n": 0}]
    kept.now += 10
    kept.log.info("refused", key="a", n=5)
    assert kept.lines[2:] == [{"event": "lines_left_out", "of": "refused", "key": "a", "count": 4}, {"n": 5}]


async def test_an_attack_that_has_ended_is_summed_up_without_another_line():
    kept = Lines(interval=0.01, max_lines=20)
    for n in range(5000):
        kept.log.info("refused", key="a", n=n)
    assert len(kept.lines) == 20
    await until(lambda: len(kept.lines) == 21)
    assert kept.lines[-1] == {"event": "lines_left_out", "of": "refused", "key": "a", "count": 4980}


def test_many_keys_share_one_line_and_old_ones_make_room():
    kept = Lines(interval=10, max_keys=3)
    for n in range(100):
        kept.log.info("refused", key=f"key {n}", n=n)
    assert len(kept.lines) == 4
    kept.now += 10
    for n in range(200, 300):
        kept.log.info("refused", key=f"key {n}", n=n)
    assert len(kept.lines) <= 9
