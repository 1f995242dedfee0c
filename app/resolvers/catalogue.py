"""The catalogue: lists for clients, and changes by moderators."""

from __future__ import annotations

from typing import Annotated, Any

import strawberry
from strawberry import UNSET
from strawberry.utils.str_converters import to_camel_case

from app.domain.boards.cursors import id_cursor, parse_id_cursor
from app.domain.rate_limits import Activity
from app.domain.users import Role
from app.execution.documents.selection import CACHEABLE
from app.resolvers.arguments import InCategory, Info
from app.resolvers.authorization import moderator_of
from app.schema import lookups
from app.schema.arguments import DEFAULT_FIRST, After, First
from app.schema.catalogue.catalogue import Action, Category
from app.schema.catalogue.changes import CatalogueChange, SaveActionInput, SaveCategoryInput
from app.schema.connections import Connection

CHANGES = "catalogueChanges"
"""The list that the cursors of `catalogueChanges` belong to."""


@strawberry.type
class CatalogueQueryFields:
    """Queries about the catalogue."""

    @strawberry.field(
        description="The actions that users can complete, and the points they pay.", metadata={CACHEABLE: True}
    )
    async def actions(self, info: Info, category: InCategory = None) -> list[Action]:
        """List actions."""
        actions = info.context.cached(info.context.services.catalogue_lists.actions(category))
        return [Action.of(action, category) for action, category in actions]

    @strawberry.field(description="All categories. Each has its own set of leaderboards.", metadata={CACHEABLE: True})
    async def categories(self, info: Info) -> list[Category]:
        """List categories."""
        categories = info.context.cached(info.context.services.catalogue_lists.categories())
        return [Category.of(category) for category in categories]

    @strawberry.field(
        description="The audit log of changes to categories and actions, newest first. Requires the role `moderator`.",
        metadata={"viewer": True, "lookups": lookups.rows},
    )
    async def catalogue_changes(
        self,
        info: Info,
        first: First = DEFAULT_FIRST,
        after: After = None,
    ) -> Connection[CatalogueChange]:
        """Read the audit log of the catalogue."""
        info.context.require_role(Role.MODERATOR)
        last = None if after is None else parse_id_cursor(CHANGES, after)
        catalogue_changes = info.context.services.catalogue_changes
        changes, has_more = await catalogue_changes.changes(DEFAULT_FIRST if first is None else first, last)
        return Connection.of(
            [CatalogueChange.of(change) for change in changes],
            [id_cursor(CHANGES, change.id) for change in changes],
            is_first=after is None,
            has_more=has_more,
        )


@strawberry.type
class CatalogueMutationFields:
    """Changes of the catalogue, by moderators."""

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
        """Create or change a category."""
        services, actor = info.context.services, moderator_of(info.context)
        document = _given_fields(input)
        if document.get("scoreFormat"):
            document["scoreFormat"] = vars(document["scoreFormat"])
        await services.catalogue_changes.apply([document], [], actor, input.reason)
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
        """Create or change an action."""
        services, actor = info.context.services, moderator_of(info.context)
        document = _given_fields(input)
        if document.get("difficulties"):
            document["difficulties"] = {one.name: one.points for one in document["difficulties"]}
        await services.catalogue_changes.apply([], [document], actor, input.reason)
        catalogue = services.catalogue.current
        action = catalogue.actions[input.id]
        return Action.of(action, catalogue.category(action.category))


def _given_fields(input: SaveCategoryInput | SaveActionInput) -> dict[str, Any]:
    """Return the fields that the client gave, without the reason."""
    values = {to_camel_case(name): value for name, value in vars(input).items()}
    return {name: value for name, value in values.items() if value is not UNSET and name != "reason"}
