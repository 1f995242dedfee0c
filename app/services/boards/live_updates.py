"""Live updates: what subscriptions receive."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from uuid import UUID

from app.domain.boards.board import BoardUpdate, RankChange
from app.domain.boards.board_query import BoardQuery
from app.domain.boards.overtaking import UserChange
from app.domain.boards.periods import Period
from app.domain.catalogue.catalogue import Category
from app.domain.errors import UserNotFound
from app.domain.players.milestones import Milestone
from app.domain.users import Caller, Profile
from app.pubsub.feed.view_budget import ViewOwners
from app.pubsub.hub import Hub
from app.services.catalogue.cache import CatalogueService
from app.services.players.profile_cache import ProfileCache


class LiveUpdates:
    """The use cases behind the subscriptions. See `Hub` for what is guaranteed."""

    def __init__(self, hub: Hub, profiles: ProfileCache, catalogue: CatalogueService) -> None:
        self._hub = hub
        self._profiles = profiles
        self._catalogue = catalogue

    async def board(
        self, query: BoardQuery, owners: ViewOwners, *, shows_total: bool
    ) -> AsyncGenerator[BoardUpdate, None]:
        """Watch the view of `query` and its nested views on the open board of the category and period.

        Users who have left the board are shown as they may be seen now: they may have been hidden. Raises RateLimited.
        """
        board = query.board
        watched = self._hub.watch(
            board.category, board.window.period, query.view, query.extra_views, owners, shows_total=shows_total
        )
        async with aclosing(watched) as updates:
            async for update in updates:
                gone = [change.user.id for change in update.changes if change.new_rank is None]
                yield replace(update, changes=await self._as_seen_now(update.changes, gone)) if gone else update

    async def _as_seen_now(self, changes: Sequence[RankChange], user_ids: Sequence[UUID]) -> tuple[RankChange, ...]:
        profiles = await self._profiles.get_or_placeholders(user_ids)
        return tuple(replace(change, user=profiles.get(change.user.id, change.user)) for change in changes)

    async def user(
        self,
        user_id: UUID,
        category_id: str,
        period: Period,
        owners: ViewOwners,
        *,
        shows_total: bool,
        caller: Caller | None = None,
    ) -> AsyncGenerator[UserChange, None]:
        """Watch the score and rank of a user, who may be new to the service if it is `caller`.

        Raises CategoryNotFound, BadUserInput, UserNotFound, RateLimited.
        """
        self._catalogue.current.category(category_id).require(period)
        profile = await self._profile(user_id, caller)
        watched = self._hub.watch_user(user_id, category_id, period, owners, shows_total=shows_total)
        async with aclosing(watched) as changes:
            async for change in changes:
                yield change if change.user else replace(change, user=profile)

    async def milestones(self, user_id: UUID | None) -> AsyncGenerator[tuple[Milestone, Category], None]:
        """Watch the milestones of one user, or of all, each with its category. Raises UserNotFound."""
        if user_id is not None:
            await self._profile(user_id)
        async with aclosing(self._hub.watch_milestones(user_id)) as milestones:
            async for milestone in milestones:
                yield milestone, self._catalogue.current.category(milestone.category)

    async def _profile(self, user_id: UUID, caller: Caller | None = None) -> Profile:
        profile = (await self._profiles.get([user_id])).get(user_id)
        if profile is not None:
            return profile
        if caller is None or caller.user_id != user_id:
            raise UserNotFound
        return Profile(user_id, caller.username, caller.avatar_url, None)
