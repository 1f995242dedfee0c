"""Messages that only the number of users on a board causes: at most one per interval and subscription."""

from __future__ import annotations

import math
from functools import partial
from typing import Generic

from app.domain.boards.views import S
from app.pubsub.feed.clock import Clock, Timer
from app.pubsub.feed.diff import total_of
from app.pubsub.feed.mailboxes import LatestValue


class TotalUpdates(Generic[S]):
    """Decides for one subscription when another total is a reason to send a message."""

    def __init__(self, mailbox: LatestValue[S], clock: Clock, interval: float) -> None:
        """Create it for the subscriber of `mailbox`; `interval` is in seconds."""
        self._mailbox = mailbox
        self._clock = clock
        self._interval = interval
        self._next_at = -math.inf
        self._timer: Timer | None = None

    def are_due(self, before: S | None, newest: S) -> bool:
        """Return whether to send `newest` for its total alone; if it is too early, it is put back for later."""
        self.cancel()
        if not self._mailbox.shows_total or before is None or total_of(before) == total_of(newest):
            return False
        wait = self._next_at - self._clock.monotonic()
        if wait <= 0:
            return True
        self._timer = self._clock.call_later(wait, partial(self._mailbox.put_back, newest))
        return False

    def note_sent(self) -> None:
        """Begin a new interval: a message was sent, and every message has the total."""
        self.cancel()
        self._next_at = self._clock.monotonic() + self._interval

    def cancel(self) -> None:
        """Put nothing back."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
