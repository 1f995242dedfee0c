"""The messages between processes: change notifications, never state.

There is a channel per category, `boards:{<category>}`, and one channel `notices` for everything else. Every message is
a JSON object with one known key; a process ignores unknown keys, so that releases can be mixed.

    boards:{<category>}  {"boards": [[window, version, top moved, epoch, time], ...]}          one list per board
    notices              {"user": id}  {"catalogue": true}  {"milestone": {...}}
                         {"close": {"socket": id, "code": n}}  {"probe": nonce}

The first is written by a script inside Redis, right after the change, and for a split category by the process that has
changed it: windows are those of `Window.key`, versions are
integers below 10^14 (larger ones lose digits there), the epoch is that of the window, the time is that of the change,
in microseconds as a string. Epoch and time may be missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.boards.board import Version
from app.domain.players.milestones import Milestone, MilestoneKind
from app.domain.users import Profile

NOTICES = "notices"

DECODING_ERRORS = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


def boards_channel(category: str) -> str:
    """Return the channel of the changes of a category's boards. It has the same hash tag as the keys of the boards."""
    return f"boards:{{{category}}}"


@dataclass(frozen=True, slots=True)
class BoardMoved:
    """A board changed.

    Attributes:
        board: The `Board.key` of the board.
        version: Its version after the change, or an earlier one. The epoch is empty if the sender did not name it.
        top_moved: Whether the change affected the head of the board.
        changed_at: When it was written, in Unix time by the clock of the process that wrote it; None if unknown.
    """

    board: str
    version: Version
    top_moved: bool = True
    changed_at: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ProfileChanged:
    """Cached data of a user is out of date: name, picture, visibility on boards, or open flags."""

    user_id: UUID


@dataclass(frozen=True, slots=True)
class CatalogueChanged:
    """Categories or actions were created or changed."""


@dataclass(frozen=True, slots=True)
class MilestoneReached:
    """A user reached a milestone for the first time."""

    milestone: Milestone


@dataclass(frozen=True, slots=True)
class SocketClosed:
    """The process that holds this socket must close it, because its user opened too many."""

    socket_id: str


@dataclass(frozen=True, slots=True)
class Probe:
    """A message that a process sends to itself through Redis, to check that messages arrive."""

    nonce: str


@dataclass(frozen=True, slots=True)
class NoticesLost:
    """Notices may have been lost until now, so state that depends on them must be read again. Never sent."""


Notice = ProfileChanged | CatalogueChanged | MilestoneReached | SocketClosed | Probe | NoticesLost


def decode_boards(category: str, text: str) -> tuple[BoardMoved, ...] | None:
    """Decode a message on `boards:{<category>}`; None if it is malformed, so that any board may have changed."""
    try:
        return tuple(_moved(category, row) for row in json.loads(text)["boards"])
    except DECODING_ERRORS:
        return None


def encode_notice(notice: Notice) -> str:
    """Encode a message for the channel `notices`. Raises ValueError for NoticesLost, which is never sent."""
    match notice:
        case ProfileChanged(user_id):
            return _dump({"user": str(user_id)})
        case CatalogueChanged():
            return _dump({"catalogue": True})
        case MilestoneReached(milestone):
            return _dump({"milestone": _milestone_to_json(milestone)})
        case SocketClosed(socket_id):
            return _dump({"close": {"socket": socket_id}})
        case Probe(nonce):
            return _dump({"probe": nonce})
        case NoticesLost():
            raise ValueError("NoticesLost must not be published")


def decode_notice(text: str) -> Notice | None:
    """Decode a message on `notices`; None if it is unknown or malformed."""
    try:
        ((kind, content),) = json.loads(text).items()
        decode = _DECODERS.get(kind)
        return None if decode is None else decode(content)
    except DECODING_ERRORS:
        return None


def _moved(category: str, row: list[Any]) -> BoardMoved:
    window, number, top_moved, *rest = row
    if not isinstance(window, str):
        raise TypeError(window)
    epoch = rest[0] if rest else ""
    changed_at = int(rest[1]) / 1_000_000 if len(rest) > 1 else None
    return BoardMoved(f"{category}/{window}", Version(str(epoch), int(number)), bool(top_moved), changed_at)


def _milestone_to_json(milestone: Milestone) -> dict[str, object]:
    user = milestone.user
    assert user.created_at is not None
    return {
        "user": [str(user.id), user.username, user.avatar_url, user.created_at.isoformat()],
        "category": milestone.category,
        "kind": milestone.kind.value,
        "reachedAt": milestone.reached_at.isoformat(),
        "threshold": milestone.threshold,
    }


def _milestone_of(content: Mapping[str, Any]) -> MilestoneReached:
    user_id, username, avatar_url, created_at = content["user"]
    user = Profile(UUID(user_id), username, avatar_url, datetime.fromisoformat(created_at))
    reached_at = datetime.fromisoformat(content["reachedAt"])
    kind = MilestoneKind(content["kind"])
    return MilestoneReached(Milestone(user, content["category"], kind, reached_at, content["threshold"]))


_DECODERS: Mapping[str, Callable[[Any], Notice]] = {
    "user": lambda content: ProfileChanged(UUID(content)),
    "catalogue": lambda _: CatalogueChanged(),
    "milestone": _milestone_of,
    "close": lambda content: SocketClosed(str(content["socket"])),
    "probe": lambda content: Probe(str(content)),
}


def _dump(message: dict[str, object]) -> str:
    return json.dumps(message, separators=(",", ":"))
