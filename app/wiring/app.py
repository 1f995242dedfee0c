"""The application as one object."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from redis.asyncio import Redis

from app.config import Settings
from app.pubsub.hub import Hub
from app.pubsub.notices import Notices
from app.pubsub.redis_backend import RedisBackend
from app.services.access_tokens import AccessTokens
from app.services.accounts import Accounts
from app.services.action_tokens import ActionTokens
from app.services.anchors import Anchors
from app.services.announcer import Announcer
from app.services.catalogue import CatalogueService
from app.services.catalogue_changes import CatalogueChanges
from app.services.close_windows import CloseWindows
from app.services.completions import Completions
from app.services.exporting import Export
from app.services.importing import Import
from app.services.issue_token import IssueToken
from app.services.jobs import Jobs
from app.services.jwks import JwksKeys
from app.services.leaderboards import Leaderboards
from app.services.ledger import Ledger
from app.services.milestones import Milestones
from app.services.moderation import Moderation
from app.services.opening_balances import OpeningBalances
from app.services.player_history import PlayerHistory
from app.services.player_profile import ReadPlayerProfile
from app.services.profiles import Profiles
from app.services.rate_limiter import RateLimiter
from app.services.read_board import ReadBoard
from app.services.rebuild import Rebuild
from app.services.reconcile import Reconcile
from app.services.record_action import RecordAction
from app.services.seeding import Seeding
from app.services.signing_sessions import SigningSessions
from app.services.standings import Guard
from app.services.submit_score import SubmitScore
from app.services.submit_signed_action import SubmitSignedAction
from app.services.users import Users
from app.services.verify import Verify
from app.stores.postgres import Database
from app.telemetry.supervision import Supervisor


@dataclass(frozen=True, slots=True)
class App:
    """What resolvers and commands work with. Everything in it is open until `open_app` ends."""

    settings: Settings
    clock: Callable[[], datetime]
    database: Database
    redis: Redis
    redis_guard: Guard
    rate_limiter: RateLimiter
    jwks: JwksKeys | None
    access_tokens: AccessTokens
    action_tokens: ActionTokens
    catalogue: CatalogueService
    catalogue_changes: CatalogueChanges
    export: Export
    import_archive: Import
    opening_balances: OpeningBalances
    milestones: Milestones
    player_profile: ReadPlayerProfile
    profiles: Profiles
    users: Users
    issue_token: IssueToken
    submit_score: SubmitScore
    completions: Completions
    signing_sessions: SigningSessions
    submit_signed_action: SubmitSignedAction
    record_action: RecordAction
    moderation: Moderation
    anchors: Anchors
    ledger: Ledger
    accounts: Accounts
    announcer: Announcer
    leaderboards: Leaderboards
    history: PlayerHistory
    close_windows: CloseWindows
    boards: ReadBoard
    rebuild: Rebuild
    reconcile: Reconcile
    seeding: Seeding
    verify: Verify
    jobs: Jobs
    hub: Hub
    notices: Notices
    backend: RedisBackend
    supervisor: Supervisor
    stopping: asyncio.Event
