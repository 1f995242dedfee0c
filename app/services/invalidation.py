"""Invalidation: caches of this process drop what another process has changed."""

from __future__ import annotations

from app.pubsub.channels.events import CatalogueChanged, Notice, NoticesLost, ProfileChanged
from app.services.boards.entry_metadata import EntryMetadata
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.account_cache import AccountCache
from app.services.past_answers import PastAnswers
from app.services.players.profile_cache import ProfileCache
from app.services.players.provision import UserProvisioning


class Invalidation:
    """A listener for notices that invalidates what is cached of users, and the catalogue."""

    def __init__(
        self,
        profiles: ProfileCache,
        users: UserProvisioning,
        account_cache: AccountCache,
        entry_metadata: EntryMetadata,
        past_answers: PastAnswers,
        catalogue: CatalogueService,
    ) -> None:
        self._per_user = (profiles, users, account_cache, entry_metadata)
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
