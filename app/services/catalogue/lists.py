"""Lists of categories and actions, for clients."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.catalogue.catalogue import Action, Catalogue, Category
from app.services.cacheable import Cacheable
from app.services.catalogue.cache import CatalogueService

ActionInCategory = tuple[Action, Category]
"""An action, and the category in which its points count."""


class CatalogueLists:
    """The use cases behind `categories` and `actions`."""

    def __init__(self, catalogue: CatalogueService) -> None:
        self._catalogue = catalogue

    def categories(self) -> Cacheable[Sequence[Category]]:
        """Return all categories."""
        catalogue = self._current()
        return Cacheable(list(catalogue.categories.values()), ((self._current, catalogue),))

    def actions(self, category_id: str | None) -> Cacheable[Sequence[ActionInCategory]]:
        """Return the actions of a category, or of all if it is None. Raises CategoryNotFound."""
        catalogue = self._current()
        if category_id is not None:
            catalogue.category(category_id)
        actions = [
            (action, catalogue.category(action.category))
            for action in catalogue.actions.values()
            if category_id in (None, action.category)
        ]
        return Cacheable(actions, ((self._current, catalogue),))

    def _current(self) -> Catalogue:
        return self._catalogue.current
