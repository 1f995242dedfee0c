"""The root of all queries."""

from __future__ import annotations

import strawberry

from app.resolvers.boards import BoardQueryFields
from app.resolvers.catalogue import CatalogueQueryFields
from app.resolvers.events import EventQueryFields
from app.resolvers.moderation import ModerationQueryFields
from app.resolvers.nodes import NodeQueryFields
from app.resolvers.players import PlayerQueryFields


@strawberry.type(description="Operations that read data. They never change anything and are safe to repeat.")
class Query(
    BoardQueryFields,
    PlayerQueryFields,
    CatalogueQueryFields,
    ModerationQueryFields,
    EventQueryFields,
    NodeQueryFields,
):
    """The fields of all queries."""
