"""The application as one object."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from redis.asyncio import Redis

from app.config import Settings
from app.pubsub.channels.notices import Notices
from app.pubsub.channels.redis_backend import RedisBackend
from app.pubsub.hub import Hub
from app.runtime import Runtime
from app.services.archives.export_archive import ArchiveExport
from app.services.archives.import_archive import ArchiveImport
from app.services.archives.opening_balances import OpeningBalances
from app.services.archives.seed import Seed
from app.services.auth.access_tokens import AccessTokens
from app.services.auth.api_keys import ApiKeys
from app.services.auth.jwks import JwksKeys
from app.services.board_index.missed_writes import MissedWrites
from app.services.board_index.rebuild import Rebuild
from app.services.board_index.reconcile import Reconcile
from app.services.board_index.shards import ChangeShards
from app.services.boards.checkpoints import Checkpoints
from app.services.boards.close_windows import CloseWindows
from app.services.boards.entry_metadata import EntryMetadata
from app.services.boards.live_updates import LiveUpdates
from app.services.boards.past_ranks import PastRanks
from app.services.boards.queries import BoardQueries
from app.services.boards.redis_or_postgres_reader import RedisOrPostgresReader
from app.services.catalogue.cache import CatalogueService
from app.services.catalogue.changes import CatalogueChanges
from app.services.catalogue.lists import CatalogueLists
from app.services.jobs import Jobs
from app.services.ledger.account_cache import AccountCache
from app.services.ledger.after_commit import AfterCommit
from app.services.ledger.anchor_job import Anchors
from app.services.ledger.milestones import Milestones
from app.services.ledger.partitions import Partitions
from app.services.ledger.post import Ledger
from app.services.limits.rate_limiter import RateLimiter
from app.services.limits.refusal_delay import RefusalDelay
from app.services.limits.refusals import Refusals
from app.services.limits.running_operations import RunningOperations
from app.services.moderation.flag_reviews import FlagReviews
from app.services.moderation.moderation_services import Moderation
from app.services.past_answers import PastAnswers
from app.services.players.find_players import FindPlayers
from app.services.players.profile_cache import ProfileCache
from app.services.players.profile_changes import ProfileChanges
from app.services.players.profile_generation import ProfileGeneration
from app.services.players.provision import UserProvisioning
from app.services.players.read_history import PlayerHistory
from app.services.players.read_profile import ReadPlayerProfile
from app.services.retention.archive_months import ArchiveMonths
from app.services.retention.cleanup import Cleanup
from app.services.retention.thin_anchors import ThinAnchors
from app.services.retention.verify_months import VerifyMonths
from app.services.submissions.action_token_store import ActionTokens
from app.services.submissions.award import AwardService
from app.services.submissions.issue_action_token import IssueToken
from app.services.submissions.record_action import RecordActions
from app.services.submissions.signing_sessions import SigningSessions
from app.services.submissions.submit_score import SubmitScore
from app.services.submissions.submit_signed_action import SubmitSignedAction
from app.services.verify import Verify
from app.services.viewer import ReadViewer
from app.stores.bulkhead import Bulkhead
from app.stores.postgres import Database
from app.stores.redis_caller import RedisCaller
from app.stores.replicas import Replicas
from app.stores.server_clock import ServerClock
from app.stores.statistics import StoreStatistics
from app.telemetry.metrics.loop_lag import EventLoopLag
from app.telemetry.supervision import Supervisor
from app.wiring.events import Outbox


@dataclass(frozen=True, slots=True)
class App:
    """All services of the open application, for commands, operations and tests; valid until `open_app` ends."""

    settings: Settings
    runtime: Runtime
    database: Database
    server_clock: ServerClock
    replicas: Replicas
    bulkheads: Mapping[str, Bulkhead]
    databases: Sequence[Database]
    redis: Redis
    redis_caller: RedisCaller
    redis_callers: Sequence[RedisCaller]
    rate_limiter: RateLimiter
    refusals: Refusals
    refusal_delay: RefusalDelay
    running_operations: RunningOperations
    key_sets: Sequence[JwksKeys]
    access_tokens: AccessTokens
    api_keys: ApiKeys
    action_tokens: ActionTokens
    catalogue: CatalogueService
    catalogue_changes: CatalogueChanges
    change_shards: ChangeShards
    export: ArchiveExport
    import_archive: ArchiveImport
    opening_balances: OpeningBalances
    milestones: Milestones
    player_profile: ReadPlayerProfile
    players: FindPlayers
    profiles: ProfileCache
    profile_changes: ProfileChanges
    profile_generation: ProfileGeneration
    users: UserProvisioning
    issue_token: IssueToken
    submit_score: SubmitScore
    award_service: AwardService
    signing_sessions: SigningSessions
    submit_signed_action: SubmitSignedAction
    record_actions: RecordActions
    moderation: Moderation
    anchors: Anchors
    ledger: Ledger
    account_cache: AccountCache
    after_commit: AfterCommit
    past_answers: PastAnswers
    past_ranks: PastRanks
    board_queries: BoardQueries
    history: PlayerHistory
    close_windows: CloseWindows
    checkpoints: Checkpoints
    board_reader: RedisOrPostgresReader
    live_updates: LiveUpdates
    viewer: ReadViewer
    entry_metadata: EntryMetadata
    flag_reviews: FlagReviews
    catalogue_lists: CatalogueLists
    missed_writes: MissedWrites
    rebuild: Rebuild
    reconcile: Reconcile
    seeding: Seed
    verify: Verify
    cleanup: Cleanup
    partitions: Partitions
    outbox: Outbox
    thin_anchors: ThinAnchors
    archive_months: ArchiveMonths
    verify_months: VerifyMonths
    jobs: Jobs
    hub: Hub
    notices: Notices
    backend: RedisBackend
    supervisor: Supervisor
    event_loop_lag: EventLoopLag
    store_statistics: StoreStatistics
    stopping: asyncio.Event

    @property
    def clock(self) -> Callable[[], datetime]:
        """The wall clock of `runtime`."""
        return self.runtime.clock
