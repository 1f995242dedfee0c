"""The subscribers of one board, by view, with the newest state of each view."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from app.domain.boards.board import Entry, Page
from app.domain.boards.views import Head, Player, S, State, View
from app.pubsub.feed.diff import is_visible_change, total_of
from app.pubsub.feed.mailboxes import LatestValue

HEAD = Head()


class Subscribers:
    """The mailboxes of the subscribers by view, with the newest state of each view.

    The state of the head is kept without subscribers too, because queries are answered from it.
    """

    def __init__(self) -> None:
        self._mailboxes: dict[View[Any], set[LatestValue[Any]]] = {}
        self._latest: dict[View[Any], State] = {}

    @property
    def head(self) -> Page | None:
        """The newest head, however old."""
        page = self._latest.get(HEAD)
        return page if isinstance(page, Page) else None

    @property
    def count(self) -> int:
        """The number of subscribers."""
        return sum(map(len, self._mailboxes.values()))

    @property
    def has_views_beyond_head(self) -> bool:
        """Whether any view other than the head has subscribers."""
        return len(self._mailboxes) > (HEAD in self._mailboxes)

    @property
    def views_beyond_head(self) -> list[View[Any]]:
        """The subscribed views other than the head."""
        return [view for view in self._mailboxes if view != HEAD]

    def has(self, view: View[Any]) -> bool:
        """Whether the view has a subscriber."""
        return view in self._mailboxes

    def has_state(self, view: View[Any]) -> bool:
        """Whether the view was read."""
        return view in self._latest

    def attach(self, view: View[S], *, shows_total: bool = False) -> LatestValue[S]:
        """Add a subscriber of `view`, whose mailbox has the known state at once."""
        mailbox: LatestValue[S] = LatestValue(shows_total=shows_total)
        self._mailboxes.setdefault(view, set()).add(mailbox)
        if view in self._latest:
            mailbox.put(cast(S, self._latest[view]))
        return mailbox

    def detach(self, view: View[S], mailbox: LatestValue[S]) -> None:
        """Remove a subscriber, and the state of a view that has no subscriber left. May be repeated."""
        mailboxes = self._mailboxes.get(view)
        if mailboxes is None:
            return
        mailboxes.discard(mailbox)
        if not mailboxes:
            del self._mailboxes[view]
            if view != HEAD:
                self._latest.pop(view, None)

    def publish(self, view: View[Any], state: State) -> None:
        """Make `state` the newest of `view`, and put it into the mailboxes whose subscribers see a difference."""
        mailboxes = self._mailboxes.get(view, ())
        before = self._latest.get(view)
        if mailboxes or view == HEAD:
            self._latest[view] = state
        is_visible = is_visible_change(before, state)
        if is_visible or total_of(before) != total_of(state):
            for mailbox in mailboxes:
                if is_visible or mailbox.shows_total:
                    mailbox.put(state)

    def mark_stale(self) -> None:
        """Publish every page again, marked stale."""
        self._mark_stale(list(self._latest))

    def mark_stale_beyond_head(self) -> None:
        """Publish every page except the head again, marked stale."""
        self._mark_stale([view for view in self._latest if view != HEAD])

    def _mark_stale(self, views: Iterable[View[Any]]) -> None:
        for view in views:
            state = self._latest[view]
            if isinstance(state, Page):
                self.publish(view, replace(state, stale=True))

    def shows(self, user_id: UUID) -> bool:
        """Whether any state shows the user."""
        return any(user_id in _users(view, state) for view, state in self._latest.items())

    def finish_head(self) -> None:
        """Put the newest head into its mailboxes as the last one."""
        self._finish(HEAD)

    def finish(self) -> None:
        """Put the newest state into every mailbox as the last one."""
        for view in self._mailboxes:
            self._finish(view)

    def _finish(self, view: View[Any]) -> None:
        for mailbox in self._mailboxes.get(view, ()):
            if view in self._latest:
                mailbox.put(self._latest[view])
            mailbox.close()

    def close(self) -> None:
        """Close every mailbox."""
        for mailboxes in self._mailboxes.values():
            for mailbox in mailboxes:
                mailbox.close()


def _users(view: View[Any], state: State) -> Iterator[UUID]:
    if isinstance(view, Player):
        yield view.user_id
    entries = _entries(state) if isinstance(state, Page) else state.above
    yield from (entry.user.id for entry in entries)


def _entries(page: Page) -> Iterator[Entry]:
    yield from page.entries
    for _, extra in page.extra_views:
        yield from extra.entries
