"""Inputs and types for actions that are reported without a token: signed by a client, or by a game's back-end."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.scalars import JSON


@strawberry.type(description="A key by which the caller's client signs actions, so that they need no token.")
class SigningSession:
    key_id: strawberry.ID = strawberry.field(description="Names the key.")
    secret: str = strawberry.field(
        description=(
            "The key of the HMAC, as it stands. It is told this once. The signature is the lower-case hex HMAC-SHA256 "
            "of six lines joined by line feeds: `leaderboard-signed-action-v1`, key id, action id, action type, "
            "difficulty (or nothing), and the timestamp in whole milliseconds since 1970."
        )
    )
    expires_at: datetime = strawberry.field(description="After this nothing can be signed with it.")


@strawberry.input(description="A completed action, signed in a signing session.")
class SubmitSignedActionInput:
    key_id: strawberry.ID = strawberry.field(description="The key of the session.")
    action_id: strawberry.ID = strawberry.field(
        description="A UUID that the client made up for this completion. It pays once; a repeat gets the first receipt."
    )
    action_type: str = strawberry.field(description="The id of an action.")
    timestamp: datetime = strawberry.field(
        description="When it was signed; with a time zone, within five minutes of the server's clock."
    )
    signature: str = strawberry.field(description="As described at `SigningSession.secret`.")
    difficulty: str | None = strawberry.field(default=None, description="One of the action's difficulties.")
    data: JSON | None = strawberry.field(
        default=None, description="What the game knows about the completion, for verification; up to 8 KiB. Not signed."
    )


@strawberry.input(description="A player's action, as a game's back-end knows it. Name the player by one of two ways.")
class RecordActionInput:
    action_type: str = strawberry.field(description="The id of an action.")
    idempotency_key: str = strawberry.field(
        description="Up to 100 characters. The same key with the same content gets the same receipt, and pays once."
    )
    user_id: strawberry.ID | None = strawberry.field(default=None, description="The player's id.")
    subject: str | None = strawberry.field(
        default=None, description="The `sub` of the player's access tokens, where that is not the id."
    )
    username: str | None = strawberry.field(
        default=None, description="The player's name, so that one who is not known yet can be created."
    )
    difficulty: str | None = strawberry.field(default=None, description="One of the action's difficulties.")
    reason: str | None = strawberry.field(default=None, description="For the audit: up to 500 characters.")
