"""Stop long-running commands by a signal."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

RETRY_DELAY = 0.02
"""Seconds until a KeyboardInterrupt that was discarded is raised again."""


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise KeyboardInterrupt in the block at the first SIGINT, SIGTERM or SIGHUP, and ignore all later ones.

    Ctrl-C reaches every process of the terminal, and `make` or a shell may send it once more. A second signal must not
    interrupt clean-up; every step of the clean-up has a time-out of its own.

    Python discards exceptions that are raised in a finalizer or in the callback of a weak reference, and imports run
    many of these. A KeyboardInterrupt that was discarded is raised again.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        for each in handled:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    def on_discarded(unraisable: sys.UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            # With a delay, because an exception that is raised here would be discarded as well.
            signal.setitimer(signal.ITIMER_REAL, RETRY_DELAY)
        else:
            previous_hook(unraisable)

    # Signals that are ignored already stay ignored: that is how `nohup` works.
    handled = [each for each in SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
    previous_handlers = {each: signal.signal(each, stop) for each in [*handled, signal.SIGALRM]}
    previous_hook, sys.unraisablehook = sys.unraisablehook, on_discarded
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = previous_hook
        for each, handler in previous_handlers.items():
            signal.signal(each, handler)
