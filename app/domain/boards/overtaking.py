"""Overtaking: the standing of a watched user, and who passed them."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.boards.board import Entry, UpdateKind, UserStanding
from app.domain.users import Profile


@dataclass(frozen=True, slots=True)
class UserView:
    """The standing of one user on a board at one version, with entries above.

    Attributes:
        standing: Score and rank.
        user: The profile; None for a user without a score.
        above: All entries above the user, or the nearest few, in board order.
    """

    standing: UserStanding
    user: Profile | None = None
    above: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class UserChange:
    """One message about a watched user: the standing, and what changed since the previous message.

    Attributes:
        kind: SNAPSHOT for the first message of an epoch, else UPDATE.
        standing: Score and rank.
        user: The profile; None for a user without a score.
        previous_rank: The rank in the previous message.
        score_delta: The change of the score.
        overtaken_by: The nearest user above who was below before; None if the rank did not fall or it is not certain.
    """

    kind: UpdateKind
    standing: UserStanding
    user: Profile | None
    previous_rank: int | None = None
    score_delta: int = 0
    overtaken_by: Profile | None = None


def overtaker(before: UserView, after: UserView) -> Profile | None:
    """Return the nearest user above who was below before, if the two views prove it; None if the rank did not fall.

    Where `before.above` has only some of the entries above, a new entry in it may have come from further above. It has
    not if it ranks below an entry that was above before and has not changed: scores only rise, apart from moderators'
    corrections, so everybody who ranked above that entry still does.
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
