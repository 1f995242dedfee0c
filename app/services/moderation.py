"""Moderation: all that a moderator can decide."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from app.services.amendments import Amendments
from app.services.catalogue import CatalogueService
from app.services.corrections import Corrections
from app.services.deletion import Deletion
from app.services.ledger import Ledger
from app.services.profiles import Profiles
from app.services.reviews import Reviews
from app.services.visibility import Visibility
from app.stores.postgres import Database


@dataclass(frozen=True, slots=True)
class Moderation:
    """The decisions by what they are about. Each is an entry in the ledger, with its moderator and reason."""

    corrections: Corrections
    reviews: Reviews
    visibility: Visibility
    deletion: Deletion


def moderation_of(
    database: Database,
    ledger: Ledger,
    amendments: Amendments,
    catalogue: CatalogueService,
    profiles: Profiles,
    announce: Callable[[UUID], Awaitable[None]],
) -> Moderation:
    """The use cases together. `announce` tells all processes that what boards show of a user is different."""
    corrections = Corrections(ledger, amendments, catalogue, database)
    return Moderation(
        corrections,
        Reviews(database, amendments, corrections, catalogue, announce),
        Visibility(amendments, announce),
        Deletion(amendments, catalogue, profiles, announce),
    )
