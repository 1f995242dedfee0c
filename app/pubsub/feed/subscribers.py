"""Who watches what on one board, and what each of them would be shown now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from app.domain.boards.board import Entry, Page
from app.pubsub.feed.board_reader import Head, Player, S, State, View
from app.pubsub.feed.diff import is_visible_change
from app.pubsub.feed.mailboxes import LatestValue

HEAD = Head()


class Subscribers:
    """The slots of the watchers by view, with the newest state of each view.

    The head's state is kept without watchers too, because queries are answered from it.
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
    def watchers(self) -> int:
        return sum(map(len, self._mailboxes.values()))

    @property
    def beyond_head(self) -> list[View[Any]]:
        """What is watched besides the head."""
        return [view for view in self._mailboxes if view != HEAD]

    @property
    def missing(self) -> list[View[Any]]:
        """What is watched and was never read."""
        return [view for view in self._mailboxes if view not in self._latest]

    def attach(self, view: View[S]) -> LatestValue[S]:
        """A new watcher's slot. What is known is in it at once."""
        mailbox: LatestValue[S] = LatestValue()
        self._mailboxes.setdefault(view, set()).add(mailbox)
        if view in self._latest:
            mailbox.put(cast(S, self._latest[view]))
        return mailbox

    def detach(self, view: View[S], mailbox: LatestValue[S]) -> None:
        """The watcher of `mailbox` left."""
        mailboxes = self._mailboxes[view]
        mailboxes.discard(mailbox)
        if not mailboxes:
            del self._mailboxes[view]
            if view != HEAD:
                self._latest.pop(view, None)

    def show(self, view: View[Any], state: State) -> None:
        """Makes `state` the newest of `view`; its watchers get it when they could see a difference."""
        mailboxes = self._mailboxes.get(view, ())
        before = self._latest.get(view)
        if mailboxes or view == HEAD:
            self._latest[view] = state
        if is_visible_change(before, state):
            for mailbox in mailboxes:
                mailbox.put(state)

    def mark_stale(self) -> None:
        """Marks every page as one that may have been overtaken by the truth."""
        for view, state in list(self._latest.items()):
            if isinstance(state, Page):
                self.show(view, replace(state, stale=True))

    def shows(self, user_id: UUID) -> bool:
        """Whether any view shows that user."""
        return any(user_id in _users(view, state) for view, state in self._latest.items())

    def finish(self) -> None:
        """The newest states are the last ones: every watcher gets theirs once more, and nothing after it."""
        for view, mailboxes in self._mailboxes.items():
            for mailbox in mailboxes:
                if view in self._latest:
                    mailbox.put(self._latest[view])
                mailbox.close()

    def close(self) -> None:
        """Ends every slot as it is."""
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
    for _, extra_views in page.extra_views:
        yield from extra_views.entries
