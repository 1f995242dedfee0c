"""Nodes: any object of the service by its id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated
from uuid import UUID

import strawberry

from app.domain.boards.board import Board
from app.domain.boards.board_part import BoardPart
from app.domain.boards.board_query import BoardQuery
from app.domain.boards.views import Around
from app.domain.canonical_uuid import canonical_uuid
from app.domain.catalogue.catalogue import Category as DomainCategory
from app.domain.errors import BadUserInput, UserNotFound
from app.domain.ledger.activity import Verdict
from app.domain.users import Role
from app.resolvers.arguments import Info
from app.resolvers.players import viewer_of
from app.resolvers.requested_views import views_of_node
from app.schema import lookups
from app.schema.boards.entries import LeaderboardEntry, PageOfEntries
from app.schema.boards.leaderboard import Leaderboard, UserRank
from app.schema.catalogue.catalogue import Action, Category
from app.schema.catalogue.changes import CatalogueChange
from app.schema.ledger.transactions import Transaction
from app.schema.moderation.moderation import Flag, HeldScore
from app.schema.nodes import MAX_NODES, Node
from app.schema.players.profiles import PlayerProfile
from app.schema.players.users import User
from app.schema.players.viewer import Viewer

NodeId = Annotated[
    strawberry.ID, strawberry.argument(description="The `id` of an object of any type that is a `Node`.")
]
NodeIds = Annotated[
    list[strawberry.ID], strawberry.argument(description=f"The ids of the objects: at most {MAX_NODES}.")
]


@strawberry.type
class NodeQueryFields:
    """Queries for objects by their ids."""

    @strawberry.field(
        description=(
            "The object with this id. Null if there is none, or if the caller may not see it: the rules are those of "
            "the other fields."
        ),
        metadata={"viewer": True, "lookups": lookups.node},
    )
    async def node(self, info: Info, id: NodeId) -> Node | None:
        """Read the object with an id."""
        return await _load(info, id, str(info._raw_info.path.key))

    @strawberry.field(
        description="The objects with these ids, in the same order, as `node` returns them.",
        metadata={"viewer": True, "lookups": lookups.nodes, "repeats": "ids"},
    )
    async def nodes(self, info: Info, ids: NodeIds) -> list[Node | None]:
        """Read objects one after the other."""
        if len(ids) > MAX_NODES:
            raise BadUserInput(f"`ids` must have at most {MAX_NODES} ids.")
        return [await _load(info, id, str(index)) for index, id in enumerate(ids)]


async def _load(info: Info, id: str, response_key: str) -> Node | None:
    """Return the object with this id; None if there is none that the caller may see.

    Args:
        info: Of the field that is resolved.
        id: The id as the client sent it.
        response_key: The key of the object in the response, by which its nested fields find their views.
    """
    type_name, separator, key = id.partition(":")
    if separator:
        if type_name == "Leaderboard":
            return await _leaderboard(info, key, response_key)
        load = _LOADERS.get(type_name)
        return None if load is None else await load(info, key)
    known = canonical_uuid(id)
    if known is None:
        category = info.context.services.catalogue.current.categories.get(id)
        return None if category is None else Category.of(category)
    return await _user(info, known) or await _transaction(info, known)


async def _user(info: Info, user_id: UUID) -> User | None:
    profile = await info.context.services.players.find(user_id, info.context.caller)
    return None if profile is None else User.of(profile)


async def _transaction(info: Info, transaction_id: UUID) -> Transaction | None:
    caller = info.context.caller
    if caller is None:
        return None
    entry = await info.context.services.history.transaction(caller, transaction_id)
    return None if entry is None else Transaction.of(entry, with_reason=caller.role is Role.MODERATOR)


async def _profile(info: Info, key: str) -> PlayerProfile | None:
    services, user_id = info.context.services, canonical_uuid(key)
    profile = None if user_id is None else await services.player_profile(user_id, info.context.caller)
    return None if profile is None else PlayerProfile.of(profile, services.catalogue.current)


async def _viewer(info: Info, key: str) -> Viewer | None:
    caller = info.context.caller
    return await viewer_of(info.context.services, caller) if caller and key == str(caller.user_id) else None


async def _action(info: Info, key: str) -> Action | None:
    catalogue = info.context.services.catalogue.current
    action = catalogue.actions.get(key)
    return None if action is None else Action.of(action, catalogue.category(action.category))


async def _flag(info: Info, key: str) -> Flag | None:
    caller, flag_id = info.context.caller, canonical_uuid(key)
    if caller is None or caller.role is not Role.MODERATOR or flag_id is None:
        return None
    found = await info.context.services.flag_reviews.find(flag_id)
    return None if found is None else Flag.of(found[0], User.of(found[1]))


async def _held_score(info: Info, key: str) -> HeldScore | None:
    caller, flag_id = info.context.caller, canonical_uuid(key)
    found = None if caller is None or flag_id is None else await info.context.services.flag_reviews.find(flag_id)
    if caller is None or found is None:
        return None
    flag, _ = found
    return HeldScore.of(flag) if flag.user_id == caller.user_id and flag.verdict is Verdict.HOLD else None


async def _change(info: Info, key: str) -> CatalogueChange | None:
    caller, change_id = info.context.caller, canonical_uuid(key)
    if caller is None or caller.role is not Role.MODERATOR or change_id is None:
        return None
    change = await info.context.services.catalogue_changes.change(change_id)
    return None if change is None else CatalogueChange.of(change)


async def _leaderboard(info: Info, key: str, response_key: str) -> Leaderboard | None:
    services = info.context.services
    boards = services.board_queries
    part = BoardPart.parse(key)
    found = None if part is None else boards.find(part.board_key)
    if part is None or found is None:
        return None
    category, board = found
    query = BoardQuery(category, board, part.view, views_of_node(info, category, board, response_key))
    page = await boards.page(query)
    return page.value.rendered(category, lambda page: Leaderboard.of(page, query, services.past_ranks.movement))


async def _entry(info: Info, key: str) -> LeaderboardEntry | None:
    found = _user_on_board(info, key)
    if found is None:
        return None
    category, board, user_id = found
    services = info.context.services
    page = await services.board_queries.page(BoardQuery(category, board, Around(user_id, 0)))
    return next(iter(PageOfEntries(page.value.page, category.score_format, services.past_ranks.movement).entries), None)


async def _rank(info: Info, key: str) -> UserRank | None:
    found = _user_on_board(info, key)
    if found is None:
        return None
    _, board, user_id = found
    try:
        standing, profile = await info.context.services.board_queries.standing(board, user_id, info.context.caller)
    except UserNotFound:
        return None
    return UserRank.of(standing, User.of(profile))


def _user_on_board(info: Info, key: str) -> tuple[DomainCategory, Board, UUID] | None:
    board_key, _, user = key.rpartition("/")
    user_id = canonical_uuid(user)
    found = info.context.services.board_queries.find(board_key)
    return None if found is None or user_id is None else (*found, user_id)


_LOADERS: Mapping[str, Callable[[Info, str], Awaitable[Node | None]]] = {
    "Action": _action,
    "CatalogueChange": _change,
    "Flag": _flag,
    "HeldScore": _held_score,
    "LeaderboardEntry": _entry,
    "PlayerProfile": _profile,
    "UserRank": _rank,
    "Viewer": _viewer,
}
"""How the objects are read whose ids begin with the name of their type."""
