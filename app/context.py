"""The context of one operation: the services that resolvers call, and the caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from app.domain.errors import Forbidden, Unauthenticated
from app.domain.users import Caller, Role, SubjectIds
from app.error_codes import ErrorCode
from app.execution import Dependencies
from app.pubsub.feed.view_budget import Owner, ViewOwners
from app.services.boards.entry_metadata import EntryMetadata
from app.services.boards.live_updates import LiveUpdates
from app.services.boards.past_ranks import PastRanks
from app.services.boards.queries import BoardQueries
from app.services.cacheable import Cacheable
from app.services.catalogue.cache import CatalogueService
from app.services.catalogue.changes import CatalogueChanges
from app.services.catalogue.lists import CatalogueLists
from app.services.moderation.flag_reviews import FlagReviews
from app.services.moderation.moderation_services import Moderation
from app.services.players.find_players import FindPlayers
from app.services.players.read_history import PlayerHistory
from app.services.players.read_profile import ReadPlayerProfile
from app.services.submissions.issue_action_token import IssueToken
from app.services.submissions.record_action import RecordActions
from app.services.submissions.signing_sessions import SigningSessions
from app.services.submissions.submit_score import SubmitScore
from app.services.submissions.submit_signed_action import SubmitSignedAction
from app.services.viewer import ReadViewer
from app.services.webhooks.endpoints import Endpoints
from app.wiring import App

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that resolvers may call: services and no stores.

    Attributes:
        clock: The wall clock, in UTC.
        subject_ids: The user ids of subjects.
    """

    clock: Callable[[], datetime]
    subject_ids: SubjectIds
    board_queries: BoardQueries
    catalogue: CatalogueService
    catalogue_changes: CatalogueChanges
    catalogue_lists: CatalogueLists
    entry_metadata: EntryMetadata
    event_endpoints: Endpoints
    flag_reviews: FlagReviews
    history: PlayerHistory
    issue_token: IssueToken
    live_updates: LiveUpdates
    moderation: Moderation
    past_ranks: PastRanks
    player_profile: ReadPlayerProfile
    players: FindPlayers
    record_actions: RecordActions
    signing_sessions: SigningSessions
    submit_score: SubmitScore
    submit_signed_action: SubmitSignedAction
    viewer: ReadViewer

    @classmethod
    def of(cls, app: App) -> Services:
        """Select the services of `app` that resolvers call."""
        return cls(
            clock=app.clock,
            subject_ids=app.settings.subject_ids,
            board_queries=app.board_queries,
            catalogue=app.catalogue,
            catalogue_changes=app.catalogue_changes,
            catalogue_lists=app.catalogue_lists,
            entry_metadata=app.entry_metadata,
            event_endpoints=app.outbox.endpoints,
            flag_reviews=app.flag_reviews,
            history=app.history,
            issue_token=app.issue_token,
            live_updates=app.live_updates,
            moderation=app.moderation,
            past_ranks=app.past_ranks,
            player_profile=app.player_profile,
            players=app.players,
            record_actions=app.record_actions,
            signing_sessions=app.signing_sessions,
            submit_score=app.submit_score,
            submit_signed_action=app.submit_signed_action,
            viewer=app.viewer,
        )


@dataclass(slots=True)
class Context:
    """What a resolver knows of the operation that it is part of.

    Attributes:
        services: The services that it may call.
        caller: The authenticated user; None for an anonymous request, and for an execution that many viewers share.
        address: The client's network address; empty for a shared execution.
        dependencies: Collects what the result depends on, if it may be cached; None otherwise.
        shared_owners: The owners of a shared execution; None for an execution of the caller's own.
        refusal: The code of the refusal that a root field had as its result; the last one if there were several.
    """

    services: Services
    caller: Caller | None = None
    address: str = ""
    user_agent: str | None = None
    request_id: str = ""
    dependencies: Dependencies | None = None
    shared_owners: ViewOwners | None = None
    refusal: ErrorCode | None = None

    @property
    def owner(self) -> Owner:
        """Whom the caller's views of boards are charged to."""
        return Owner(self.address, None if self.caller is None else self.caller.user_id)

    @property
    def owners(self) -> ViewOwners:
        """The owners of this execution."""
        return self.shared_owners or ViewOwners(self.owner)

    def cached(self, result: Cacheable[T]) -> T:
        """Return the value that one root field is made of, and add its dependencies: see `Dependencies.add`."""
        if self.dependencies is not None:
            # A dependency that has changed since the value was read is unknown, so that the response is not cached.
            current = [
                dependency if seen is not None and dependency() is seen else _unknown
                for dependency, seen in result.dependencies
            ]
            self.dependencies.add(*current)
        return result.value

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


def _unknown() -> None:
    """Stand for a dependency whose state is not known."""
