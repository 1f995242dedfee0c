"""Changing the catalogue: for moderators."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET
from strawberry.utils.str_converters import to_camel_case

from app.context import Context
from app.domain.errors import BadUserInput
from app.domain.ledger.transactions import Actor
from app.domain.rate_limits import Activity
from app.domain.users import Role
from app.resolvers.arguments import Info
from app.schema.catalogue.catalogue import Action, Category
from app.schema.catalogue.changes import CatalogueChange, SaveActionInput, SaveCategoryInput


@strawberry.type
class CatalogueQueries:
    @strawberry.field(
        description="The audit log of changes to categories and actions, newest first. Requires the role `moderator`.",
        metadata={"viewer": True},
    )
    async def catalogue_changes(
        self,
        info: Info,
        first: Annotated[int, strawberry.argument(description="How many changes to return, from 1 to 100.")] = 20,
        before: Annotated[
            strawberry.ID | None,
            strawberry.argument(
                description=(
                    "The `id` of the last change of the previous page: return older changes only. Omit it to start "
                    "with the newest."
                )
            ),
        ] = None,
    ) -> list[CatalogueChange]:
        info.context.require_role(Role.MODERATOR)
        changes = await info.context.services.catalogue_changes.changes(first, _change_id(before))
        return [CatalogueChange.of(change) for change in changes]


@strawberry.type
class CatalogueMutations:
    @strawberry.mutation(
        description=(
            "Create a category, or change the given fields of an existing one. All instances of the service "
            "apply the change within a second. Requires the role `moderator`."
        ),
        metadata={"activity": Activity.QUERY},
    )
    async def save_category(
        self,
        info: Info,
        input: Annotated[
            SaveCategoryInput, strawberry.argument(description="The category to create, or the fields to change.")
        ],
    ) -> Category:
        services, actor = info.context.services, _moderator(info.context)
        await services.catalogue_changes.apply([_given(input)], [], actor, input.reason)
        return Category.of(services.catalogue.current.category(input.id))

    @strawberry.mutation(
        description=(
            "Create an action, or change the given fields of an existing one. All instances of the service apply "
            "the change within a second. Action tokens that were issued before keep the points they were issued "
            "with. Requires the role `moderator`."
        ),
        metadata={"activity": Activity.QUERY},
    )
    async def save_action(
        self,
        info: Info,
        input: Annotated[
            SaveActionInput, strawberry.argument(description="The action to create, or the fields to change.")
        ],
    ) -> Action:
        services, actor = info.context.services, _moderator(info.context)
        document = _given(input)
        if document.get("difficulties"):
            document["difficulties"] = {one.name: one.points for one in document["difficulties"]}
        await services.catalogue_changes.apply([], [document], actor, input.reason)
        catalogue = services.catalogue.current
        action = catalogue.actions[input.id]
        return Action.of(action, catalogue.category(action.category))


def _moderator(context: Context) -> Actor:
    caller = context.require_role(Role.MODERATOR)
    return Actor(caller.user_id, caller.role.value, context.address, context.user_agent)


def _given(input: SaveCategoryInput | SaveActionInput) -> dict[str, Any]:
    """The fields that the client gave, but for the reason."""
    values = {to_camel_case(name): value for name, value in vars(input).items()}
    return {name: value for name, value in values.items() if value is not UNSET and name != "reason"}


def _change_id(argument: str | None) -> UUID | None:
    try:
        return None if argument is None else UUID(argument)
    except ValueError:
        raise BadUserInput("`before` must be the id of a change.") from None
