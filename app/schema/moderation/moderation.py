"""Flags for moderators and for players, and the results of decisions."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

from app.domain.rules import flags as domain
from app.schema.enums import FlagStatus, FraudRule, Verdict
from app.schema.nodes import Node, node_id
from app.schema.players.users import User
from app.schema.scalars import Score

REASON = "The reason for the change, kept in the audit log: 1 to 500 characters."


@strawberry.input(one_of=True, description="How a score changes: exactly one field must be given.")
class ScoreAdjustment:
    delta: Score | None = strawberry.field(
        default=UNSET,
        description=(
            "The points to add, or to subtract if negative; not 0. The resulting score is kept between 0 and the "
            "cap of the category."
        ),
    )
    set: Score | None = strawberry.field(
        default=UNSET, description="The all-time score to set, from 0 to the cap of the category."
    )


@strawberry.input(description="A correction of a user's score by a moderator.")
class AdjustScoreInput:
    user_id: strawberry.ID = strawberry.field(description="The id of the user whose score changes.")
    adjustment: ScoreAdjustment = strawberry.field(description="The change, or the new score.")
    reason: str = strawberry.field(description=REASON)
    idempotency_key: str = strawberry.field(
        description=(
            "A key chosen by the client, 1 to 100 characters. Repeating the request with the same key and "
            "content returns the first receipt and changes nothing."
        )
    )
    category: str = strawberry.field(default="global", description="The `id` of the category whose score changes.")


@strawberry.type(description="A completion that the fraud rules marked as suspicious. Visible to moderators only.")
class Flag(Node):
    id: strawberry.ID = strawberry.field(description="A stable identifier of the flag, to pass as `flagId`.")
    transaction_id: strawberry.ID = strawberry.field(description="The `id` of the flagged transaction.")
    user: User = strawberry.field(description="The user who submitted the completion.")
    category: strawberry.ID = strawberry.field(
        description="The `id` of the category in which the points count, or would count if released."
    )
    action_type: str | None = strawberry.field(description="The `id` of the completed action.")
    verdict: Verdict = strawberry.field(
        description="How the fraud rules judged the completion: paid but flagged, or held."
    )
    rules: list[FraudRule] = strawberry.field(description="The fraud rules that were triggered.")
    points: Score = strawberry.field(description="The points that were paid, or would be paid if released.")
    status: FlagStatus = strawberry.field(description="Whether the flag is open, or how a moderator decided.")
    created_at: datetime = strawberry.field(description="When the completion was submitted.")
    decided_at: datetime | None = strawberry.field(description="When a moderator decided. Null while the flag is open.")
    decided_by: strawberry.ID | None = strawberry.field(
        description="The id of the moderator who decided. Null while the flag is open."
    )
    reason: str | None = strawberry.field(description="The reason the moderator gave. Null while the flag is open.")

    @staticmethod
    def of(flag: domain.Flag, user: User) -> Flag:
        """Convert a flag for moderators."""
        return Flag(
            id=node_id("Flag", flag.id),
            transaction_id=strawberry.ID(str(flag.id)),
            user=user,
            category=strawberry.ID(flag.category),
            action_type=flag.action_id,
            verdict=flag.verdict,
            rules=[FraudRule(name) for name in flag.rules],
            points=flag.points,
            status=flag.status,
            created_at=flag.created_at,
            decided_at=flag.decided_at,
            decided_by=strawberry.ID(str(flag.decided_by)) if flag.decided_by else None,
            reason=flag.reason,
        )


@strawberry.type(description="One of the caller's own completions that is, or was, held for review by a moderator.")
class HeldScore(Node):
    id: strawberry.ID = strawberry.field(description="A stable identifier of the held completion.")
    transaction_id: strawberry.ID = strawberry.field(description="The `id` of the held transaction.")
    category: strawberry.ID = strawberry.field(
        description="The `id` of the category in which the points count if released."
    )
    action_type: str | None = strawberry.field(description="The `id` of the completed action.")
    points: Score = strawberry.field(description="The points that are paid if the completion is released.")
    status: FlagStatus = strawberry.field(description="Whether the review is open, or how the moderator decided.")
    held_at: datetime = strawberry.field(description="When the completion was submitted.")
    decided_at: datetime | None = strawberry.field(
        description="When a moderator decided. Null while the review is open."
    )

    @staticmethod
    def of(flag: domain.Flag) -> HeldScore:
        """Convert a flag for its player, without the rules that were triggered."""
        return HeldScore(
            id=node_id("HeldScore", flag.id),
            transaction_id=strawberry.ID(str(flag.id)),
            category=strawberry.ID(flag.category),
            action_type=flag.action_id,
            points=flag.points,
            status=flag.status,
            held_at=flag.created_at,
            decided_at=flag.decided_at,
        )


@strawberry.type(description="A user after a moderator changed the user's visibility.")
class ModeratedUser:
    user: User = strawberry.field(description="The user whose visibility was changed.")
    hidden: bool = strawberry.field(description="True if the user is now hidden from all boards.")


@strawberry.type(description="The result of deleting a user: the anonymous remainder and an export of the data.")
class DeletedUser:
    user: User = strawberry.field(description="The deleted user. The id is kept; name and picture are erased.")
    export: JSON = strawberry.field(
        description=(
            "The data that was stored about the user: profile, scores, the newest 10000 transactions, action "
            "tokens, flags, the metadata of entries as JSON text, and milestones."
        )
    )


@strawberry.type(description="The result of removing the metadata of a user's entries.")
class MetadataRemoved:
    user: User = strawberry.field(description="The user whose entries have no metadata any more.")
    removed: int = strawberry.field(description="How many transactions had metadata.")
