"""The intervals and time-outs of feeds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FeedTiming:
    """How often, how long and how much a feed reads. Times are in seconds.

    Attributes:
        coalesce_seconds: Changes within this time are joined into one read. The first change after a quiet time is
            read at once.
        min_query_interval: The minimum time between two reads that answer queries.
        poll_interval: The version of a board without changes is checked this often; a failed read is retried this
            often.
        total_interval: The minimum time between two messages of one subscription that only the number of users caused.
        fallback_interval: The minimum time between two reads while PostgreSQL replaces Redis.
        max_age: A state whose version was not confirmed for longer than this is not used as the current one.
        closing_delay: The last read of a window happens this long after its end, because commits may be in flight.
        idle_timeout: A feed that was not used for this long is released.
        read_timeout: A read that takes longer than this counts as failed.
        max_lookups_per_read: The maximum cost of the views beyond the head that one call to a store reads together,
            and that one subscription may ask for.
        max_view_share: The share of the time that the reads of views beyond the head may take, of all boards together.
        view_burst_seconds: Reads of views that take this long together follow without a pause after a quiet time.
        max_view_pause: The maximum pause between two reads of views, however long the reads take.
        max_pass_seconds: The views of a board are too expensive if the reads of all of them take longer than this.
        max_slow_passes: After so many passes in a row that took too long, the most expensive views are dropped.
        max_failing_seconds: So are they when views, but not the head, could not be read for this long.
    """

    coalesce_seconds: float = 0.1
    min_query_interval: float = 0.02
    poll_interval: float = 1.0
    total_interval: float = 1.0
    fallback_interval: float = 1.0
    max_age: float = 1.5
    closing_delay: float = 0.3
    idle_timeout: float = 30.0
    read_timeout: float = 5.0
    max_lookups_per_read: int = 200
    max_view_share: float = 0.25
    view_burst_seconds: float = 0.02
    max_view_pause: float = 2.0
    max_pass_seconds: float = 1.0
    max_slow_passes: int = 3
    max_failing_seconds: float = 10.0
