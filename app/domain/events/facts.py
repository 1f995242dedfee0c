"""The events of facts. No event has a name, an address or a reason: receivers look up what they may know."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from app.domain.boards.board import Board
from app.domain.catalogue.changes import RecordedChange
from app.domain.events.event import Event, EventType, format_time
from app.domain.ledger.activity import Verdict
from app.domain.ledger.anchors import Anchor
from app.domain.ledger.posting import Posting
from app.domain.players.milestones import Milestone
from app.domain.rules.flags import Flag, FlagStatus

CATALOGUE_SUBJECT = "catalogue"
LEDGER_SUBJECT = "ledger"


def user_subject(user_id: UUID) -> str:
    """Return the subject of the events about a user."""
    return f"users/{user_id}"


def board_subject(board: Board) -> str:
    """Return the subject of the events about a board."""
    return f"boards/{board.key}"


def score_committed(posting: Posting) -> Event:
    """Return the event of a transaction in a category."""
    entry = posting.transaction
    changes = [change for change in posting.score_changes if change.board.category == entry.category_id]
    return Event(
        EventType.SCORE_COMMITTED,
        user_subject(entry.user_id),
        entry.category_id,
        entry.created_at,
        {
            "transactionId": str(entry.id),
            "userId": str(entry.user_id),
            "category": entry.category_id,
            "kind": entry.kind.value,
            "action": entry.action_id,
            "points": entry.points,
            "delta": entry.delta,
            "score": entry.score,
            "boards": [{"window": change.board.window.key, "score": change.row.score} for change in changes],
        },
    )


def suspicious_completions(posting: Posting) -> Iterator[Event]:
    """Yield the event of a completion that fraud rules have flagged or held, if it was."""
    entry, suspicion = posting.transaction, posting.suspicion
    if suspicion is None:
        return
    held = suspicion.verdict is Verdict.HOLD
    yield Event(
        EventType.COMPLETION_HELD if held else EventType.COMPLETION_FLAGGED,
        user_subject(entry.user_id),
        entry.category_id,
        entry.created_at,
        {
            "flagId": str(entry.id),
            "userId": str(entry.user_id),
            "category": entry.category_id,
            "action": entry.action_id,
            "points": entry.points,
        },
    )


def completion_decided(flag: Flag, status: FlagStatus, decision: UUID | None, now: datetime) -> Event:
    """Return the event of a moderator's decision about a flag; `decision` is the id of its transaction, if any."""
    released = status is FlagStatus.RELEASED
    return Event(
        EventType.COMPLETION_RELEASED if released else EventType.COMPLETION_REJECTED,
        user_subject(flag.user_id),
        flag.category,
        now,
        {
            "flagId": str(flag.id),
            "userId": str(flag.user_id),
            "category": flag.category,
            "action": flag.action_id,
            "points": flag.points,
            "verdict": flag.verdict.name,
            "transactionId": None if decision is None else str(decision),
        },
    )


def milestone_reached(milestone: Milestone) -> Event:
    """Return the event of a milestone."""
    user_id = milestone.user.id
    return Event(
        EventType.MILESTONE_REACHED,
        user_subject(user_id),
        milestone.category,
        milestone.reached_at,
        {
            "userId": str(user_id),
            "category": milestone.category,
            "kind": milestone.kind.value,
            "threshold": milestone.threshold,
        },
    )


def user_changed(event_type: EventType, user_id: UUID, now: datetime) -> Event:
    """Return the event of a user who was hidden, shown again or deleted."""
    return Event(event_type, user_subject(user_id), None, now, {"userId": str(user_id)})


def window_closed(board: Board, total_users: int, now: datetime) -> Event:
    """Return the event of a closed window. Its final standings are read by category, period and start."""
    window = board.window
    assert window.starts_at is not None
    assert window.ends_at is not None
    return Event(
        EventType.WINDOW_CLOSED,
        board_subject(board),
        board.category,
        now,
        {
            "category": board.category,
            "period": window.period.value,
            "window": window.key,
            "startsAt": format_time(window.starts_at),
            "endsAt": format_time(window.ends_at),
            "totalUsers": total_users,
        },
    )


def catalogue_changed(change: RecordedChange) -> Event:
    """Return the event of a change of a category or action."""
    subject = change.change
    return Event(
        EventType.CATALOGUE_CHANGED,
        CATALOGUE_SUBJECT,
        None,
        change.at,
        {
            "changeId": str(change.id),
            "kind": subject.subject.value,
            "id": subject.id,
            "before": None if subject.before is None else dict(subject.before),
            "after": dict(subject.after),
        },
    )


def ledger_anchored(anchor: Anchor) -> Event:
    """Return the event of a new anchor of the ledger."""
    return Event(
        EventType.LEDGER_ANCHORED,
        LEDGER_SUBJECT,
        None,
        anchor.created_at,
        {"number": anchor.number, "heads": anchor.heads, "hash": anchor.hash.hex()},
    )
