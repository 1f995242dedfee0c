"""Moderation: flags, and the decisions of moderators."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from app.domain.boards.cursors import id_cursor, parse_id_cursor
from app.domain.errors import BadUserInput
from app.domain.ids import parse_id
from app.domain.rate_limits import Activity
from app.domain.users import Role
from app.resolvers.arguments import CategoryId, Info, UserId
from app.resolvers.authorization import moderator_of
from app.schema import lookups
from app.schema.arguments import DEFAULT_FIRST, After, First
from app.schema.connections import Connection
from app.schema.enums import FlagStatus
from app.schema.ledger.receipts import ScoreAccepted
from app.schema.moderation.moderation import AdjustScoreInput, DeletedUser, Flag, MetadataRemoved, ModeratedUser
from app.schema.nodes import key_of
from app.schema.players.users import User

Reason = Annotated[
    str, strawberry.argument(description="The reason for the decision, kept in the audit log: 1 to 500 characters.")
]
FlagId = Annotated[strawberry.ID, strawberry.argument(description="The `id` of a flag, as listed by `flags`.")]


FLAGS = "flags"
"""The list that the cursors of `flags` belong to."""


def _flag_id(flag_id: str) -> UUID:
    key = key_of("Flag", flag_id)
    if key is None:
        raise BadUserInput("`flagId` must be the `id` of a flag.")
    return parse_id("flagId", key)


@strawberry.type
class ModerationQueryFields:
    """Queries of moderators."""

    @strawberry.field(
        description="Completions that the fraud rules found suspicious, newest first. Requires the role `moderator`.",
        metadata={"viewer": True, "lookups": lookups.rows},
    )
    async def flags(
        self,
        info: Info,
        status: Annotated[
            FlagStatus, strawberry.argument(description="Return only flags with this status.")
        ] = FlagStatus.OPEN,
        first: First = DEFAULT_FIRST,
        after: After = None,
    ) -> Connection[Flag]:
        """Read flags."""
        context = info.context
        context.require_role(Role.MODERATOR)
        last = None if after is None else parse_id_cursor(FLAGS, after)
        reviews = context.services.flag_reviews
        flags, has_more = await reviews.read(status, DEFAULT_FIRST if first is None else first, last)
        return Connection.of(
            [Flag.of(flag, User.of(profile)) for flag, profile in flags],
            [id_cursor(FLAGS, flag.id) for flag, _ in flags],
            is_first=after is None,
            has_more=has_more,
        )


@strawberry.type
class ModerationMutationFields:
    """Decisions of moderators."""

    @strawberry.mutation(
        description=(
            "Add points to a user's score or subtract them, or set the score, on the all-time board, and change the "
            "boards of the current windows by as much. In categories whose operator is not SUM, a current window "
            "changes only if the user has the same score in it. Requires the role `moderator`."
        ),
        metadata={"activity": Activity.QUERY},
    )
    async def adjust_score(
        self,
        info: Info,
        input: Annotated[
            AdjustScoreInput, strawberry.argument(description="The user, the change of the score, and the reason.")
        ],
    ) -> ScoreAccepted:
        """Adjust a user's score."""
        corrections, adjustment = info.context.services.moderation.corrections, input.adjustment
        moderator, user_id = moderator_of(info.context), parse_id("userId", input.user_id)
        common = input.reason, input.idempotency_key
        if isinstance(adjustment.delta, int):
            receipt = await corrections.adjust(moderator, user_id, input.category, adjustment.delta, *common)
        else:
            assert isinstance(adjustment.set, int)
            receipt = await corrections.set_score(moderator, user_id, input.category, adjustment.set, *common)
        return ScoreAccepted.of(receipt, info.context.require_caller())

    @strawberry.mutation(
        description=(
            "Reverse the effect of a transaction on the all-time board and on those of its windows that are "
            "still open. A transaction can be reversed once. Requires the role `moderator`."
        ),
        metadata={"activity": Activity.QUERY},
    )
    async def revert_transaction(
        self,
        info: Info,
        transaction_id: Annotated[
            strawberry.ID, strawberry.argument(description="The `id` of the transaction to reverse.")
        ],
        reason: Reason,
    ) -> ScoreAccepted:
        """Revert a transaction."""
        moderator = moderator_of(info.context)
        corrections = info.context.services.moderation.corrections
        receipt = await corrections.revert(moderator, parse_id("transactionId", transaction_id), reason)
        return ScoreAccepted.of(receipt, info.context.require_caller())

    @strawberry.mutation(
        description=(
            "Remove a user from all boards, including those of past windows. The users below move up. Requires "
            "the role `moderator`."
        ),
        metadata={"activity": Activity.QUERY},
    )
    async def hide_user(self, info: Info, user_id: UserId, reason: Reason) -> ModeratedUser:
        """Hide a user."""
        moderator, visibility = moderator_of(info.context), info.context.services.moderation.visibility
        profile = await visibility.hide(moderator, parse_id("userId", user_id), reason)
        return ModeratedUser(user=User.of(profile), hidden=True)

    @strawberry.mutation(
        description=(
            "Show a hidden user on the boards again, with the same scores and tie-breaking times as before. "
            "Requires the role `moderator`."
        ),
        metadata={"activity": Activity.QUERY},
    )
    async def unhide_user(self, info: Info, user_id: UserId, reason: Reason) -> ModeratedUser:
        """Show a hidden user."""
        moderator, visibility = moderator_of(info.context), info.context.services.moderation.visibility
        profile = await visibility.unhide(moderator, parse_id("userId", user_id), reason)
        return ModeratedUser(user=User.of(profile), hidden=False)

    @strawberry.mutation(
        description=(
            "Permanently remove all metadata of a user's entries in a category. Scores and ranks do not change. "
            "Requires the role `moderator`."
        ),
        metadata={"activity": Activity.QUERY},
    )
    async def remove_metadata(
        self, info: Info, user_id: UserId, reason: Reason, category: CategoryId = "global"
    ) -> MetadataRemoved:
        """Remove the metadata of a user's entries."""
        removal = info.context.services.moderation.metadata_removal
        removed = await removal(moderator_of(info.context), parse_id("userId", user_id), category, reason)
        return MetadataRemoved(user=User.of(removed.profile), removed=removed.count)

    @strawberry.mutation(
        description=(
            "Permanently delete a user and return the data that was stored. The user is removed from all boards, "
            "the name and picture are erased, and the same id can never play again. This cannot be undone. "
            "Requires the role `moderator`."
        ),
        metadata={"activity": Activity.QUERY, "lookups": lookups.export},
    )
    async def delete_user(self, info: Info, user_id: UserId, reason: Reason) -> DeletedUser:
        """Delete a user."""
        moderator = moderator_of(info.context)
        deleted = await info.context.services.moderation.deletion(moderator, parse_id("userId", user_id), reason)
        return DeletedUser(user=User.of(deleted.profile), export=JSON(deleted.content))

    @strawberry.mutation(
        description=(
            "Decide that a flagged completion is legitimate. If its points were held, they are added now, to the "
            "boards that are still open. Requires the role `moderator`."
        ),
        metadata={"activity": Activity.QUERY},
    )
    async def release_held(self, info: Info, flag_id: FlagId, reason: Reason) -> Flag:
        """Release a flagged completion."""
        moderator, reviews = moderator_of(info.context), info.context.services.flag_reviews
        flag, profile = await reviews.release(moderator, _flag_id(flag_id), reason)
        return Flag.of(flag, User.of(profile))

    @strawberry.mutation(
        description=(
            "Decide that a flagged completion is not legitimate. If its points were held, they are never added; "
            "if they were paid, they are taken back. Requires the role `moderator`."
        ),
        metadata={"activity": Activity.QUERY},
    )
    async def reject_held(self, info: Info, flag_id: FlagId, reason: Reason) -> Flag:
        """Reject a flagged completion."""
        moderator, reviews = moderator_of(info.context), info.context.services.flag_reviews
        flag, profile = await reviews.reject(moderator, _flag_id(flag_id), reason)
        return Flag.of(flag, User.of(profile))
