"""The viewer: what callers can see about themselves."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from app.domain.boards.board import UserStanding, board_of
from app.domain.boards.periods import Period
from app.domain.players.viewer import Viewer
from app.domain.rules.flags import Flag
from app.domain.users import Caller, Profile
from app.runtime import Runtime
from app.services.boards.redis_or_postgres_reader import RedisOrPostgresReader
from app.services.catalogue.cache import CatalogueService
from app.services.limits.rate_limiter import RateLimiter
from app.services.moderation.reviews import Reviews
from app.services.players.profile_cache import ProfileCache
from app.services.submissions.action_token_store import ActionTokens


class ReadViewer:
    """The use cases behind `me`."""

    def __init__(
        self,
        profiles: ProfileCache,
        reader: RedisOrPostgresReader,
        rate_limiter: RateLimiter,
        action_tokens: ActionTokens,
        reviews: Reviews,
        catalogue: CatalogueService,
        runtime: Runtime,
        *,
        max_open_tokens: int,
    ) -> None:
        self._profiles = profiles
        self._reader = reader
        self._rate_limiter = rate_limiter
        self._action_tokens = action_tokens
        self._reviews = reviews
        self._catalogue = catalogue
        self._runtime = runtime
        self._max_open_tokens = max_open_tokens

    async def __call__(self, caller: Caller) -> Viewer:
        """Read the viewer; a caller who has not done anything yet has the profile of the access token.

        Raises ServiceUnavailable.
        """
        profile = (await self._profiles.get_with_hidden([caller.user_id])).get(caller.user_id)
        allowances = await self._rate_limiter.allowances(caller)
        return Viewer(
            caller,
            profile or Profile(caller.user_id, caller.username, caller.avatar_url, None),
            await self._action_tokens.count_open(caller.user_id),
            self._max_open_tokens,
            allowances,
        )

    async def standing(self, user_id: UUID, category_id: str, period: Period) -> UserStanding:
        """Read the user's standing on the current board, also that of a user who has not done anything yet.

        Raises CategoryNotFound, BadUserInput, ServiceUnavailable.
        """
        self._catalogue.current.category(category_id).require(period)
        board = board_of(category_id, period, self._runtime.clock())
        (standing,) = await self._reader.standings(board, [user_id])
        return standing

    async def held_scores(self, user_id: UUID) -> Sequence[Flag]:
        """Read the user's newest completions that are or were held. Raises ServiceUnavailable."""
        return await self._reviews.held(user_id)
