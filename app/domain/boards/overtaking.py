"""Rivals: one player's place as a spectator follows it, and who passed them."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.boards.board import Entry, UpdateKind, UserStanding
from app.domain.users import Profile


@dataclass(frozen=True, slots=True)
class UserView:
    """One user on a board at one version.

    `user` is None for somebody the board does not know. `above` are the entries directly above, in board order: the
    last of them is the nearest. It may hold all that are above or only the nearest few.
    """

    standing: UserStanding
    user: Profile | None = None
    above: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class UserChange:
    """One message about a watched user: where they stand, and what changed since the message before.

    `overtaken_by` is the nearest user above who passed since then. It is None when the rank did not fall, and also
    when nobody can be named with certainty.
    """

    kind: UpdateKind
    standing: UserStanding
    user: Profile | None
    previous_rank: int | None = None
    score_delta: int = 0
    overtaken_by: Profile | None = None


def overtaker(before: UserView, after: UserView) -> Profile | None:
    """The nearest user above who was below before, if the two views prove it; None when the rank did not fall.

    Where `before.above` is only a part of those above, somebody new in it may have come from further above. They have
    not when they stand below one who was above before and has not scored since: scores only rise (a moderator's
    correction apart), so whoever was ahead of that one still is.
    """
    if before.standing.rank is None or after.standing.rank is None or after.standing.rank <= before.standing.rank:
        return None
    known = {entry.user.id: entry for entry in before.above}
    complete = len(before.above) == before.standing.rank - 1
    passed = None
    anchored = complete
    for entry in after.above:
        was = known.get(entry.user.id)
        if was is None:
            passed = entry.user if anchored else passed
        elif (was.score, was.reached_at) == (entry.score, entry.reached_at):
            anchored = True
    return passed
