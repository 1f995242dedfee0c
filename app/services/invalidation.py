"""Invalidation: caches of this process drop what another process has changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from app.pubsub.channels.events import CatalogueChanged, Notice, NoticesLost, ProfileChanged
from app.services.catalogue.cache import CatalogueService
from app.services.past_answers import PastAnswers


class UserCache(Protocol):
    """A cache of what is known of users."""

    def invalidate(self, user_id: UUID) -> None:
        """Drop what is cached of a user."""

    def invalidate_all(self) -> None:
        """Drop everything."""


class Invalidation:
    """A listener for notices that invalidates what is cached of users, and the catalogue."""

    def __init__(self, per_user: Sequence[UserCache], past_answers: PastAnswers, catalogue: CatalogueService) -> None:
        self._per_user = per_user
        self._past_answers = past_answers
        self._catalogue = catalogue

    def __call__(self, notice: Notice) -> None:
        """Invalidate what `notice` says has changed; everything after notices may have been lost."""
        match notice:
            case ProfileChanged(user_id):
                for cache in self._per_user:
                    cache.invalidate(user_id)
                self._past_answers.clear()
            case NoticesLost():
                for cache in self._per_user:
                    cache.invalidate_all()
                self._past_answers.clear()
                self._catalogue.outdated.set()
            case CatalogueChanged():
                self._catalogue.outdated.set()
