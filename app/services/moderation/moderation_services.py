"""All use cases of moderators as one object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from app.services.catalogue.cache import CatalogueService
from app.services.ledger.amend import Amendments
from app.services.ledger.post import Ledger
from app.services.moderation.adjust_and_revert import Corrections
from app.services.moderation.delete_user import UserDeletion
from app.services.moderation.hide_user import Visibility
from app.services.moderation.remove_metadata import MetadataRemoval
from app.services.moderation.reviews import Reviews
from app.services.players.profile_changes import ProfileChanges
from app.stores.postgres import Database


@dataclass(frozen=True, slots=True)
class Moderation:
    """The use cases by subject. Every decision is a transaction in the ledger, with its moderator and reason."""

    corrections: Corrections
    reviews: Reviews
    visibility: Visibility
    deletion: UserDeletion
    metadata_removal: MetadataRemoval


def moderation_of(
    database: Database,
    ledger: Ledger,
    amendments: Amendments,
    catalogue: CatalogueService,
    changes: ProfileChanges,
    publish_change: Callable[[UUID], Awaitable[None]],
) -> Moderation:
    """Create all use cases. `publish_change` notifies all processes that a user's boards and caches are out of date."""
    corrections = Corrections(ledger, amendments, catalogue, database)
    return Moderation(
        corrections,
        Reviews(database, amendments, corrections, catalogue, publish_change),
        Visibility(amendments, changes),
        UserDeletion(amendments, catalogue, changes),
        MetadataRemoval(amendments, catalogue, changes),
    )
