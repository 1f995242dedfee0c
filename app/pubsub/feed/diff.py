"""Messages for subscribers: the difference between the last shown state and the newest."""

from __future__ import annotations

from dataclasses import replace

from app.domain.boards.board import BoardUpdate, Page, UpdateKind, UserStanding, changes_between, looks_different
from app.domain.boards.overtaking import UserChange, UserView, overtaker
from app.domain.boards.views import State


def is_visible_change(before: State | None, after: State) -> bool:
    """Whether a subscriber of the whole view would see a difference, even one who does not show the total."""
    match before, after:
        case Page(), Page():
            return before.version.epoch != after.version.epoch or looks_different(before, after)
        case UserView(), UserView():
            return _visible(before) != _visible(after)
        case _:
            return True


def total_of(state: State | None) -> int | None:
    """Return the number of users on the whole board."""
    match state:
        case Page(total_users=total) | UserView(standing=UserStanding(total_users=total)):
            return total
    return None


def with_entries_above(state: State, head: Page) -> State:
    """Return `state` with all entries above a watched user, if `head`, read at the same version, has all of them."""
    if isinstance(state, Page) or state.standing.rank is None or state.standing.rank > len(head.entries) + 1:
        return state
    return replace(state, above=head.entries[: state.standing.rank - 1])


def board_update(previous: Page | None, page: Page, must_send: bool) -> BoardUpdate | None:
    """Return the message that leads from `previous` to `page`; None if nothing visible has changed.

    Args:
        previous: The page of the message before; None for the first message, which is a SNAPSHOT. So is the first
            message of a new epoch.
        page: The newest page.
        must_send: Whether to send the page although nothing else has changed: it is the last one of its window, or has
            another total.
    """
    if previous is None or previous.version.epoch != page.version.epoch:
        return BoardUpdate(UpdateKind.SNAPSHOT, page)
    is_different = looks_different(previous, page)
    if is_different or must_send:
        changed_at = page.changed_at if is_different else None
        return BoardUpdate(UpdateKind.UPDATE, page, changes_between(previous, page), changed_at)
    return None


def user_change(previous: UserView | None, view: UserView, must_send: bool) -> UserChange | None:
    """Return the message that leads from `previous` to `view`; None if score, rank, ties and name are the same.

    Args:
        previous: The state of the message before; None for the first message, which is a SNAPSHOT.
        view: The newest state.
        must_send: As for `board_update`.
    """
    if previous is None:
        return UserChange(UpdateKind.SNAPSHOT, view.standing, view.user, view.standing.rank)
    if not must_send and _visible(previous) == _visible(view):
        return None
    return UserChange(
        UpdateKind.UPDATE,
        view.standing,
        view.user,
        previous_rank=previous.standing.rank,
        score_delta=view.standing.score - previous.standing.score,
        overtaken_by=overtaker(previous, view),
    )


def _visible(view: UserView) -> tuple[object, ...]:
    standing = view.standing
    return standing.rank, standing.competition_rank, standing.tied_with, standing.score, view.user
