"""The root of all subscriptions."""

from __future__ import annotations

import strawberry

from app.resolvers.boards import BoardSubscriptionFields
from app.resolvers.players import PlayerSubscriptionFields


@strawberry.type(
    description=(
        "Operations that receive live updates. Except for `milestones`, the first message is the current "
        "state; further messages follow when it changes."
    )
)
class Subscription(BoardSubscriptionFields, PlayerSubscriptionFields):
    """The fields of all subscriptions."""
