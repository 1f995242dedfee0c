"""Pages that many requests show."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from app.domain.boards.board import Page
from app.domain.catalogue.catalogue import Category

T = TypeVar("T")


class SharedPage:
    """A page with the object that it is shown as, so that this object is made once however many requests show it.

    Attributes:
        page: The page.
        head: The current head of the board that the page is a part of; None when the page is not known to be current.
    """

    __slots__ = ("_category", "_rendered", "head", "page")

    def __init__(self, page: Page, head: Page | None = None) -> None:
        self.page = page
        self.head = head
        self._category: Category | None = None
        self._rendered: Any = None

    def rendered(self, category: Category, render: Callable[[Page], T]) -> T:
        """Return what `render` makes of the page, which nobody may change; the last result is kept per category."""
        if self._category is not category:
            self._rendered, self._category = render(self.page), category
        rendered: T = self._rendered
        return rendered
