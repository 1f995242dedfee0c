"""How a long-running command is told to stop."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

RETRY_SECONDS = 0.02
"""How soon a KeyboardInterrupt that was discarded is raised again."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Let the first SIGINT, SIGTERM or SIGHUP end the block as KeyboardInterrupt, and ignore all that follow.

    Ctrl-C reaches every process of the terminal, and `make` or a shell may pass it on once more: what cleans up after
    the first must not be torn apart by the second. All that is done in cleaning up has a time limit of its own.

    Python discards what is raised in a finalizer or in the callback of a weak reference, and imports run many of
    those: a KeyboardInterrupt that is discarded is raised again.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        for each in heard:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    def discarded(what: sys.UnraisableHookArgs) -> None:
        if issubclass(what.exc_type, KeyboardInterrupt):
            # Later, because what is raised here would be discarded as well.
            signal.setitimer(signal.ITIMER_REAL, RETRY_SECONDS)
        else:
            hook(what)

    # What is ignored already stays so: that is how `nohup` works.
    heard = [each for each in SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.signal(each, stop) for each in [*heard, signal.SIGALRM]}
    hook, sys.unraisablehook = sys.unraisablehook, discarded
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = hook
        for each, handler in before.items():
            signal.signal(each, handler)
