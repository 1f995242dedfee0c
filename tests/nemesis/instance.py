"""`leaderboard serve` with a clock that can be wrong: SIGUSR1 makes it read the offset in seconds from CLOCK_FILE."""

import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import FrameType

import app.server
from app.cli import main
from app.main import create_app
from app.runtime import Runtime


class SkewedClock:
    """The system clock plus an offset."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = timedelta()
        signal.signal(signal.SIGUSR1, self._read)

    def __call__(self) -> datetime:
        """Return the time in UTC."""
        return datetime.now(UTC) + self._offset

    def _read(self, number: int, frame: FrameType | None) -> None:
        self._offset = timedelta(seconds=float(self._file.read_text()))


if __name__ == "__main__":
    runtime = Runtime(clock=SkewedClock(Path(os.environ["CLOCK_FILE"])))
    app.server.create_app = partial(create_app, runtime=runtime)
    sys.argv = ["leaderboard", "serve"]
    main()
