"""How a long-running command is told to stop."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stoppable() -> Iterator[None]:
    """Let the first SIGINT, SIGTERM or SIGHUP end the block as KeyboardInterrupt, and ignore all that follow.

    Ctrl-C reaches every process of the terminal, and `make` or a shell may pass it on once more: what cleans up after
    the first must not be torn apart by the second. All that is done in cleaning up has a time limit of its own.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        for each in heard:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    # What is ignored already stays so: that is how `nohup` works.
    heard = [each for each in SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.signal(each, stop) for each in heard}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
