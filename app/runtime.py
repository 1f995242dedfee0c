"""What a process runs on.

Time and randomness are one injected object, so that tests decide both in one place; the event loop has an error of its
own to be recognised.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from random import Random

utc_now: Callable[[], datetime] = partial(datetime.now, UTC)
"""Return the current time of the system clock, in UTC, without a call of Python code."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The sources of time and randomness of one process.

    Attributes:
        clock: The wall clock: an aware datetime in UTC.
        monotonic: Seconds of a clock that never goes back, for durations.
        random: Pseudo-random numbers for jitter and sampling; not for secrets.
        random_bytes: Cryptographically secure random bytes, as many as asked for.
        system_clock: The wall clock of this machine, whose skew is measured; `clock` unless a test sets the time.
    """

    clock: Callable[[], datetime] = utc_now
    monotonic: Callable[[], float] = time.monotonic
    random: Random = field(default_factory=Random)
    random_bytes: Callable[[int], bytes] = os.urandom
    system_clock: Callable[[], datetime] = utc_now


def is_closed_transport(error: Exception) -> bool:
    """Return whether uvloop refused to write to a connection that was lost a moment before."""
    return isinstance(error, RuntimeError) and str(error).endswith("the handler is closed")
