"""Decisions of moderators, and what they decide about."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from app.context import Context
from app.domain.errors import BadUserInput
from app.domain.ids import parse_user_id
from app.domain.ledger.transactions import Actor
from app.domain.rate_limits import Activity
from app.domain.rules import flags as domain
from app.domain.users import Role
from app.resolvers.arguments import Info, UserId
from app.schema.enums import FlagStatus
from app.schema.ledger.receipts import ScoreAccepted
from app.schema.moderation.moderation import AdjustScoreInput, DeletedUser, Flag, ModeratedUser
from app.schema.players.users import User

Reason = Annotated[
    str, strawberry.argument(description="The reason for the decision, kept in the audit log: 1 to 500 characters.")
]
FlagId = Annotated[strawberry.ID, strawberry.argument(description="The `id` of a flag, as listed by `flags`.")]


@strawberry.type
class ModerationQueries:
    @strawberry.field(
        description="Completions that the fraud rules found suspicious, newest first. Requires the role `moderator`.",
        metadata={"viewer": True},
    )
    async def flags(
        self,
        info: Info,
        status: Annotated[
            FlagStatus, strawberry.argument(description="Return only flags with this status.")
        ] = FlagStatus.OPEN,
        first: Annotated[int, strawberry.argument(description="How many flags to return, from 1 to 100.")] = 20,
        after: Annotated[
            strawberry.ID | None,
            strawberry.argument(
                description=(
                    "The `id` of the last flag of the previous page: return older flags only. Omit it to start with "
                    "the newest."
                )
            ),
        ] = None,
    ) -> list[Flag]:
        context = info.context
        context.require_role(Role.MODERATOR)
        last = None if after is None else _id(after, "flag")
        flags = await context.services.moderation.reviews.flags(status, first, last)
        profiles = await context.services.profiles.get({flag.user_id for flag in flags})
        return [Flag.of(flag, User.of(profiles[flag.user_id])) for flag in flags]


@strawberry.type
class ModerationMutations:
    @strawberry.mutation(
        description=(
            "Add points to a user's score or subtract them, on the all-time board and on the boards of the "
            "current windows. In categories whose operator is not SUM, a current window changes only if the user "
            "has a score in it. Requires the role `moderator`."
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
        receipt = await info.context.services.moderation.corrections.adjust(
            _moderator(info.context),
            parse_user_id(input.user_id),
            input.category,
            input.delta,
            input.reason,
            input.idempotency_key,
        )
        return ScoreAccepted.of(receipt)

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
        moderator = _moderator(info.context)
        corrections = info.context.services.moderation.corrections
        return ScoreAccepted.of(await corrections.revert(moderator, _id(transaction_id, "transaction"), reason))

    @strawberry.mutation(
        description=(
            "Remove a user from all boards, including those of past windows. The users below move up. Requires "
            "the role `moderator`."
        ),
        metadata={"activity": Activity.QUERY},
    )
    async def hide_user(self, info: Info, user_id: UserId, reason: Reason) -> ModeratedUser:
        moderator, visibility = _moderator(info.context), info.context.services.moderation.visibility
        profile = await visibility.hide(moderator, parse_user_id(user_id), reason)
        return ModeratedUser(user=User.of(profile), hidden=True)

    @strawberry.mutation(
        description=(
            "Show a hidden user on the boards again, with the same scores and tie-breaking times as before. "
            "Requires the role `moderator`."
        ),
        metadata={"activity": Activity.QUERY},
    )
    async def unhide_user(self, info: Info, user_id: UserId, reason: Reason) -> ModeratedUser:
        moderator, visibility = _moderator(info.context), info.context.services.moderation.visibility
        profile = await visibility.unhide(moderator, parse_user_id(user_id), reason)
        return ModeratedUser(user=User.of(profile), hidden=False)

    @strawberry.mutation(
        description=(
            "Permanently delete a user and return the data that was stored. The user is removed from all boards, "
            "the name and picture are erased, and the same id can never play again. This cannot be undone. "
            "Requires the role `moderator`."
        ),
        metadata={"activity": Activity.QUERY},
    )
    async def delete_user(self, info: Info, user_id: UserId, reason: Reason) -> DeletedUser:
        moderator = _moderator(info.context)
        deleted = await info.context.services.moderation.deletion(moderator, parse_user_id(user_id), reason)
        return DeletedUser(user=User.of(deleted.profile), export=JSON(deleted.content))

    @strawberry.mutation(
        description=(
            "Decide that a flagged completion is legitimate. If its points were held, they are added now, to the "
            "boards that are still open. Requires the role `moderator`."
        ),
        metadata={"activity": Activity.QUERY},
    )
    async def release_held(self, info: Info, flag_id: FlagId, reason: Reason) -> Flag:
        moderator = _moderator(info.context)
        reviews = info.context.services.moderation.reviews
        return await _shown(info.context, await reviews.release(moderator, _id(flag_id, "flag"), reason))

    @strawberry.mutation(
        description=(
            "Decide that a flagged completion is not legitimate. If its points were held, they are never added; "
            "if they were paid, they are taken back. Requires the role `moderator`."
        ),
        metadata={"activity": Activity.QUERY},
    )
    async def reject_held(self, info: Info, flag_id: FlagId, reason: Reason) -> Flag:
        moderator = _moderator(info.context)
        reviews = info.context.services.moderation.reviews
        return await _shown(info.context, await reviews.reject(moderator, _id(flag_id, "flag"), reason))


def _moderator(context: Context) -> Actor:
    caller = context.require_role(Role.MODERATOR)
    return Actor(caller.user_id, caller.role.value, context.address, context.user_agent)


async def _shown(context: Context, flag: domain.Flag) -> Flag:
    profiles = await context.services.profiles.get([flag.user_id])
    return Flag.of(flag, User.of(profiles[flag.user_id]))


def _id(argument: str, noun: str) -> UUID:
    try:
        return UUID(argument)
    except ValueError:
        raise BadUserInput(f"The id of a {noun} must be a UUID.") from None
