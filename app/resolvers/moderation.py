"""Decisions of moderators, and what they decide about."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from app.context import Context
from app.domain import flags as domain
from app.domain.errors import BadUserInput
from app.domain.ids import parse_user_id
from app.domain.transactions import Actor
from app.domain.users import Role
from app.resolvers.arguments import Info, UserId
from app.schema.enums import FlagStatus
from app.schema.moderation import AdjustScoreInput, DeletedUser, Flag, ModeratedUser
from app.schema.receipts import ScoreAccepted
from app.schema.users import User

Reason = Annotated[str, strawberry.argument(description="Why, for the audit: up to 500 characters.")]
FlagId = Annotated[strawberry.ID, strawberry.argument(description="The id of a flag.")]


@strawberry.type
class ModerationQueries:
    @strawberry.field(
        description="Completions that look wrong, the newest first. For moderators.", metadata={"viewer": True}
    )
    async def flags(
        self,
        info: Info,
        status: Annotated[FlagStatus, strawberry.argument(description="Which ones.")] = FlagStatus.OPEN,
        first: Annotated[int, strawberry.argument(description="How many, 1 to 100.")] = 20,
        after: Annotated[
            strawberry.ID | None, strawberry.argument(description="Go on behind the flag of this id.")
        ] = None,
    ) -> list[Flag]:
        context = info.context
        context.require_role(Role.MODERATOR)
        last = None if after is None else _id(after, "flag")
        flags = await context.app.moderation.reviews.flags(status, first, last)
        profiles = await context.app.profiles.get({flag.user_id for flag in flags})
        return [Flag.of(flag, User.of(profiles[flag.user_id])) for flag in flags]


@strawberry.type
class ModerationMutations:
    @strawberry.mutation(
        description=(
            "Add to a score or take from it: on the all-time board, and on those of the open windows. Where scores do "
            "not add up, only windows in which the user has a score change. For moderators."
        )
    )
    async def adjust_score(
        self,
        info: Info,
        input: Annotated[AdjustScoreInput, strawberry.argument(description="Whose score, by how much, and why.")],
    ) -> ScoreAccepted:
        receipt = await info.context.app.moderation.corrections.adjust(
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
            "Take back what a transaction did: on the all-time board, and on those of its windows that are still open. "
            "Once per transaction. For moderators."
        )
    )
    async def revert_transaction(
        self,
        info: Info,
        transaction_id: Annotated[strawberry.ID, strawberry.argument(description="The id of a transaction.")],
        reason: Reason,
    ) -> ScoreAccepted:
        moderator = _moderator(info.context)
        corrections = info.context.app.moderation.corrections
        return ScoreAccepted.of(await corrections.revert(moderator, _id(transaction_id, "transaction"), reason))

    @strawberry.mutation(
        description="Take a user off every board, closed windows included; all ranks close up. For moderators."
    )
    async def hide_user(self, info: Info, user_id: UserId, reason: Reason) -> ModeratedUser:
        moderator, visibility = _moderator(info.context), info.context.app.moderation.visibility
        profile = await visibility.hide(moderator, parse_user_id(user_id), reason)
        return ModeratedUser(user=User.of(profile), hidden=True)

    @strawberry.mutation(description="Show a user again, in the old places among ties. For moderators.")
    async def unhide_user(self, info: Info, user_id: UserId, reason: Reason) -> ModeratedUser:
        moderator, visibility = _moderator(info.context), info.context.app.moderation.visibility
        profile = await visibility.unhide(moderator, parse_user_id(user_id), reason)
        return ModeratedUser(user=User.of(profile), hidden=False)

    @strawberry.mutation(
        description=(
            "Delete a user for good, and get what was known: off every board, without name or picture, never to play "
            "again under this id. For moderators."
        )
    )
    async def delete_user(self, info: Info, user_id: UserId, reason: Reason) -> DeletedUser:
        moderator = _moderator(info.context)
        deleted = await info.context.app.moderation.deletion(moderator, parse_user_id(user_id), reason)
        return DeletedUser(user=User.of(deleted.profile), export=JSON(deleted.content))

    @strawberry.mutation(
        description=(
            "Decide that nothing is wrong: what was held counts from now on, on the boards that are open. "
            "For moderators."
        )
    )
    async def release_held(self, info: Info, flag_id: FlagId, reason: Reason) -> Flag:
        moderator = _moderator(info.context)
        reviews = info.context.app.moderation.reviews
        return await _shown(info.context, await reviews.release(moderator, _id(flag_id, "flag"), reason))

    @strawberry.mutation(
        description=(
            "Decide that a completion is not right: what was held never counts; what was paid is taken back. "
            "For moderators."
        )
    )
    async def reject_held(self, info: Info, flag_id: FlagId, reason: Reason) -> Flag:
        moderator = _moderator(info.context)
        reviews = info.context.app.moderation.reviews
        return await _shown(info.context, await reviews.reject(moderator, _id(flag_id, "flag"), reason))


def _moderator(context: Context) -> Actor:
    caller = context.require_role(Role.MODERATOR)
    return Actor(caller.user_id, caller.role.value, context.address, context.user_agent)


async def _shown(context: Context, flag: domain.Flag) -> Flag:
    profiles = await context.app.profiles.get([flag.user_id])
    return Flag.of(flag, User.of(profiles[flag.user_id]))


def _id(argument: str, noun: str) -> UUID:
    try:
        return UUID(argument)
    except ValueError:
        raise BadUserInput(f"The id of a {noun} is a UUID.") from None
