"""Time and randomness that a test decides."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime
from random import Random

from app.runtime import Runtime, utc_now


def runtime_for(
    clock: Callable[[], datetime] = utc_now,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    random: Random | None = None,
    random_bytes: Callable[[int], bytes] = os.urandom,
    system_clock: Callable[[], datetime] = utc_now,
) -> Runtime:
    """Return a runtime with the given sources; whatever is not given is the real one."""
    return Runtime(clock, monotonic, random or Random(), random_bytes, system_clock)
