"""Records events in the transaction of their fact."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from app.domain.events.event import Event, EventType
from app.domain.events.facts import score_committed, suspicious_completions
from app.domain.events.score_filter import ALL_CATEGORIES, ScoreFilter
from app.domain.ids import uuid7
from app.domain.ledger.posting import Posting
from app.domain.ledger.transactions import Kind
from app.models.statements.events.committed_events import NewEvents, insert_events
from app.models.statements.executor import Executor
from app.runtime import Runtime

RECORD_ALL = ScoreFilter()


class EventRecorder:
    """Records the types of events that the settings name.

    Guarantees: an event is committed exactly if its fact is. Types that are not recorded cost nothing.
    """

    def __init__(
        self, types: Collection[EventType], score_filters: Mapping[str, ScoreFilter], runtime: Runtime
    ) -> None:
        """Create the recorder.

        Args:
            types: The types that are recorded.
            score_filters: Which committed scores are, by category; `*` stands for all others. Without one all are.
            runtime: The source of ids.
        """
        self.types = frozenset(types)
        self._score_filters = score_filters
        self._runtime = runtime

    def records(self, *types: EventType) -> bool:
        """Return whether one of these types is recorded."""
        return not self.types.isdisjoint(types)

    async def record(self, connection: Executor, events: Iterable[Event]) -> None:
        """Insert those of `events` whose type is recorded into the transaction of `connection`, in their order."""
        if found := self._identified([event for event in events if event.type in self.types]):
            await insert_events(connection, found)

    def of_postings(self, postings: Sequence[Posting]) -> NewEvents:
        """Return the events of scores that are about to be stored. Scores of other systems are no events."""
        if EventType.SCORE_COMMITTED not in self.types:
            return ()
        return self._identified([score_committed(posting) for posting in postings if self._is_recorded(posting)])

    async def record_suspicions(
        self, connection: Executor, postings: Iterable[Posting], new_flags: Collection[UUID]
    ) -> None:
        """Record the suspicious completions whose flags are among `new_flags`, by the ids of their transactions."""
        suspicious = [posting for posting in postings if posting.transaction.id in new_flags]
        await self.record(connection, [event for one in suspicious for event in suspicious_completions(one)])

    def _is_recorded(self, posting: Posting) -> bool:
        entry = posting.transaction
        if entry.category_id is None or entry.kind in (Kind.OPENING, Kind.HELD, Kind.REJECTION):
            return False
        scores = self._score_filters
        chosen = scores.get(entry.category_id) or scores.get(ALL_CATEGORIES) or (None if scores else RECORD_ALL)
        return chosen is not None and chosen.accepts(entry)

    def _identified(self, events: Sequence[Event]) -> NewEvents:
        if not events:
            return ()
        now, random_bytes = self._runtime.clock(), self._runtime.random_bytes
        return [(uuid7(now, random_bytes), event) for event in events]
