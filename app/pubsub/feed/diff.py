"""What to tell a watcher: the difference between what they were shown last and what there is now."""

from __future__ import annotations

from dataclasses import replace

from app.domain.boards.board import BoardUpdate, Page, UpdateKind, changes_between, looks_different
from app.domain.boards.overtaking import UserChange, UserView, overtaker
from app.pubsub.feed.board_reader import State


def is_visible_change(before: State | None, after: State) -> bool:
    """Whether any watcher of the whole view could see a difference."""
    match before, after:
        case Page(), Page():
            return before.version.epoch != after.version.epoch or looks_different(before, after)
        case UserView(), UserView():
            return _visible(before) != _visible(after)
        case _:
            return True


def with_entries_above(state: State, head: Page) -> State:
    """`state`, read together with `head`; where the head shows everybody above a watched user, they are all in it."""
    if isinstance(state, Page) or state.standing.rank is None or state.standing.rank > len(head.entries) + 1:
        return state
    return replace(state, above=head.entries[: state.standing.rank - 1])


def board_update(shown: Page | None, page: Page, final: bool) -> BoardUpdate | None:
    """The message that leads from `shown` to `page`; None when there is nothing to tell.

    It is a SNAPSHOT at the start and when a new epoch begins. The last page of a window is told in any case.
    """
    if shown is None or shown.version.epoch != page.version.epoch:
        return BoardUpdate(UpdateKind.SNAPSHOT, page)
    if final or looks_different(shown, page):
        return BoardUpdate(UpdateKind.UPDATE, page, changes_between(shown, page))
    return None


def user_change(shown: UserView | None, view: UserView, final: bool) -> UserChange | None:
    """The message that leads from `shown` to `view`; None when neither score nor rank nor name changed."""
    if shown is None:
        return UserChange(UpdateKind.SNAPSHOT, view.standing, view.user, view.standing.rank)
    if not final and _visible(shown) == _visible(view):
        return None
    return UserChange(
        UpdateKind.UPDATE,
        view.standing,
        view.user,
        previous_rank=shown.standing.rank,
        score_delta=view.standing.score - shown.standing.score,
        overtaken_by=overtaker(shown, view),
    )


def _visible(view: UserView) -> tuple[object, ...]:
    return view.standing.rank, view.standing.competition_rank, view.standing.score, view.user
