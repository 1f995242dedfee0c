"""The context of one operation: the services that resolvers call, and the caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from app.domain.errors import Forbidden, Unauthenticated
from app.domain.users import Caller, Role
from app.execution import Dependencies
from app.execution.dependencies import Dependency
from app.pubsub.hub import Hub
from app.services.boards.queries import Leaderboards
from app.services.boards.reader import ReadBoard
from app.services.catalogue.cache import CatalogueService
from app.services.catalogue.changes import CatalogueChanges
from app.services.limits.rate_limiter import RateLimiter
from app.services.moderation.moderation import Moderation
from app.services.players.profile_cache import Profiles
from app.services.players.read_history import PlayerHistory
from app.services.players.read_profile import ReadPlayerProfile
from app.services.submissions.action_tokens import ActionTokens
from app.services.submissions.issue_action_token import IssueToken
from app.services.submissions.record_action import RecordAction
from app.services.submissions.signing_sessions import SigningSessions
from app.services.submissions.submit_score import SubmitScore
from app.services.submissions.submit_signed_action import SubmitSignedAction
from app.wiring import App


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that resolvers may call: services and no stores.

    Attributes:
        clock: The wall clock, in UTC.
        jwt_issuer: The issuer of access tokens, from which user ids are derived.
        max_open_tokens: How many open action tokens one user may have.
    """

    clock: Callable[[], datetime]
    jwt_issuer: str
    max_open_tokens: int
    action_tokens: ActionTokens
    boards: ReadBoard
    catalogue: CatalogueService
    catalogue_changes: CatalogueChanges
    history: PlayerHistory
    hub: Hub
    issue_token: IssueToken
    leaderboards: Leaderboards
    moderation: Moderation
    player_profile: ReadPlayerProfile
    profiles: Profiles
    rate_limiter: RateLimiter
    record_action: RecordAction
    signing_sessions: SigningSessions
    submit_score: SubmitScore
    submit_signed_action: SubmitSignedAction

    @classmethod
    def of(cls, app: App) -> Services:
        """Select the services of `app` that resolvers call."""
        return cls(
            clock=app.clock,
            jwt_issuer=app.settings.jwt_issuer,
            max_open_tokens=app.settings.max_open_tokens,
            action_tokens=app.action_tokens,
            boards=app.boards,
            catalogue=app.catalogue,
            catalogue_changes=app.catalogue_changes,
            history=app.history,
            hub=app.hub,
            issue_token=app.issue_token,
            leaderboards=app.leaderboards,
            moderation=app.moderation,
            player_profile=app.player_profile,
            profiles=app.profiles,
            rate_limiter=app.rate_limiter,
            record_action=app.record_action,
            signing_sessions=app.signing_sessions,
            submit_score=app.submit_score,
            submit_signed_action=app.submit_signed_action,
        )


@dataclass(slots=True)
class Context:
    """What a resolver knows of the operation that it is part of.

    Attributes:
        services: The services that it may call.
        caller: The authenticated user; None for an anonymous request, and for an execution that many viewers share.
        address: The client's network address; empty for a shared execution.
        dependencies: Collects what the result depends on, if it may be cached; None otherwise.
    """

    services: Services
    caller: Caller | None = None
    address: str = ""
    user_agent: str | None = None
    request_id: str = ""
    dependencies: Dependencies | None = None

    def depends_on(self, *dependencies: Dependency) -> None:
        """Record what the value of one root field depends on: see `Dependencies.add`."""
        if self.dependencies is not None:
            self.dependencies.add(*dependencies)

    def require_caller(self) -> Caller:
        """Return the caller.

        Raises:
            Unauthenticated: The request is anonymous.
        """
        if self.caller is None:
            raise Unauthenticated
        return self.caller

    def require_role(self, *roles: Role) -> Caller:
        """Return the caller if they have one of `roles`.

        Raises:
            Unauthenticated: The request is anonymous.
            Forbidden: The caller has another role.
        """
        caller = self.require_caller()
        if caller.role not in roles:
            raise Forbidden
        return caller
