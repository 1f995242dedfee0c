"""What moderators see and decide, and what a player sees of it."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from app.domain import flags as domain
from app.schema.enums import FlagStatus, Verdict
from app.schema.users import User

REASON = "Why, for the audit: up to 500 characters."


@strawberry.input(description="A change of a score.")
class AdjustScoreInput:
    user_id: strawberry.ID = strawberry.field(description="Whose score.")
    delta: int = strawberry.field(description="What is added; negative to take away. The score stays within its range.")
    reason: str = strawberry.field(description=REASON)
    idempotency_key: str = strawberry.field(
        description="Up to 100 characters. The same key with the same content gets the same receipt, and counts once."
    )
    category: str = strawberry.field(default="global", description="The category of the score.")


@strawberry.type(description="A completion that looks wrong. Only moderators see it.")
class Flag:
    id: strawberry.ID = strawberry.field(description="That of its transaction.")
    user: User = strawberry.field(description="The player.")
    category: strawberry.ID = strawberry.field(description="The category in which it counts, or would.")
    action_type: str | None = strawberry.field(description="What was completed.")
    verdict: Verdict = strawberry.field(description="How wrong it looks.")
    rules: list[str] = strawberry.field(description="The rules that think so.")
    points: int = strawberry.field(description="What it pays, or would pay.")
    status: FlagStatus = strawberry.field(description="What became of it.")
    created_at: datetime = strawberry.field(description="When it was completed.")
    decided_at: datetime | None = strawberry.field(description="When a moderator decided.")
    decided_by: strawberry.ID | None = strawberry.field(description="The id of that moderator.")
    reason: str | None = strawberry.field(description="The moderator's reason.")

    @staticmethod
    def of(flag: domain.Flag, user: User) -> Flag:
        """What a moderator sees of a flag."""
        return Flag(
            id=strawberry.ID(str(flag.id)),
            user=user,
            category=strawberry.ID(flag.category),
            action_type=flag.action_id,
            verdict=flag.verdict,
            rules=list(flag.rules),
            points=flag.points,
            status=flag.status,
            created_at=flag.created_at,
            decided_at=flag.decided_at,
            decided_by=strawberry.ID(str(flag.decided_by)) if flag.decided_by else None,
            reason=flag.reason,
        )


@strawberry.type(description="A completion of one's own that a moderator is to look at, or has looked at.")
class HeldScore:
    id: strawberry.ID = strawberry.field(description="That of its transaction.")
    category: strawberry.ID = strawberry.field(description="The category in which it would count.")
    action_type: str | None = strawberry.field(description="What was completed.")
    points: int = strawberry.field(description="What it would pay.")
    status: FlagStatus = strawberry.field(description="What became of it.")
    held_at: datetime = strawberry.field(description="When it was submitted.")
    decided_at: datetime | None = strawberry.field(description="When a moderator decided.")

    @staticmethod
    def of(flag: domain.Flag) -> HeldScore:
        """What its player sees of a flag: not what gave it away."""
        return HeldScore(
            id=strawberry.ID(str(flag.id)),
            category=strawberry.ID(flag.category),
            action_type=flag.action_id,
            points=flag.points,
            status=flag.status,
            held_at=flag.created_at,
            decided_at=flag.decided_at,
        )


@strawberry.type(description="A user after a decision about their visibility.")
class ModeratedUser:
    user: User = strawberry.field(description="Who it is about.")
    hidden: bool = strawberry.field(description="Whether the user is off every board now.")


@strawberry.type(description="What is left of a deleted user, and what there was.")
class DeletedUser:
    user: User = strawberry.field(description="The id stays, the name does not.")
    export: JSON = strawberry.field(
        description=(
            "What was known about the user: profile, scores, the newest 10000 transactions, action tokens, flags and "
            "milestones."
        )
    )
