"""Wiring: everything long-lived is opened and closed here. The only file that names concrete classes."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import httpx2
from broadcaster import Broadcast
from pydantic import SecretStr
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from sqlalchemy.ext.asyncio import AsyncEngine

from app.config import Settings, SettingsError
from app.domain.catalogue_changes import Ceilings
from app.domain.errors import ServiceUnavailable
from app.domain.ids import uuid7
from app.domain.milestones import Milestone
from app.pubsub.clock import SystemClock
from app.pubsub.events import CatalogueChanged, MilestoneReached, Notice, NoticesLost, ProfileChanged, boards_channel
from app.pubsub.hub import Hub
from app.pubsub.notices import Notices
from app.pubsub.redis_backend import OUTAGES, RedisBackend
from app.services.access_tokens import AccessTokens, Keys, SecretKeys
from app.services.accounts import Accounts
from app.services.action_claims import ActionClaims
from app.services.action_tokens import ActionTokens
from app.services.amendments import Amendments
from app.services.anchors import Anchors
from app.services.announcer import Announcer
from app.services.breaker import Breaker
from app.services.catalogue import CatalogueService
from app.services.catalogue_changes import CatalogueChanges
from app.services.close_windows import CloseWindows
from app.services.completions import Completions
from app.services.database import POSTGRES_FAILURES, Database, open_engine
from app.services.exporting import Export
from app.services.importing import Import
from app.services.issue_token import IssueToken
from app.services.jobs import Job, Jobs
from app.services.jwks import JwksKeys
from app.services.leaderboards import Leaderboards
from app.services.ledger import Ledger
from app.services.milestones import Milestones
from app.services.moderation import Moderation, moderation_of
from app.services.opening_balances import OpeningBalances
from app.services.player_history import PlayerHistory
from app.services.player_profile import ReadPlayerProfile
from app.services.postgres_boards import PostgresBoards
from app.services.profiles import Profiles
from app.services.rate_limiter import RateLimiter
from app.services.rate_limits import limits_of
from app.services.read_board import ReadBoard
from app.services.rebuild import Rebuild
from app.services.reconcile import Reconcile
from app.services.record_action import RecordAction
from app.services.redis_boards import RedisBoards
from app.services.secrets import Secrets
from app.services.seeding import Seeding
from app.services.signing_sessions import SigningSessions
from app.services.standings import REDIS_FAILURES, Guard, Loading, Standings, Unreachable
from app.services.standings import Keys as RedisKeys
from app.services.standings.copies import Copies
from app.services.submit_score import SubmitScore
from app.services.submit_signed_action import SubmitSignedAction
from app.services.users import Users
from app.services.verifiers import Surroundings, Verifiers, load_verifiers
from app.services.verify import Verify
from app.services.verify.boards import CheckBoards
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


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@asynccontextmanager
async def open_app(
    settings: Settings, clock: Callable[[], datetime] = utc_now, *, housekeeping: bool = True
) -> AsyncIterator[App]:
    """Open everything, run the background work, and close all of it at the end.

    Without `housekeeping` the work that is there for all instances is left to them: jobs, and keeping Redis loaded.
    PostgreSQL must answer once, for the catalogue: raises ServiceUnavailable otherwise. Redis may be away.
    """
    async with AsyncExitStack() as stack:
        app = await _build(settings, clock, stack)
        await app.catalogue.refresh()
        group = await stack.enter_async_context(_background())
        for name, run in (
            ("channels", app.backend.run),
            ("notices", app.notices.run),
            ("hub", app.hub.run),
            ("catalogue", lambda: _keep_catalogue(app)),
            ("repair", lambda: _repair_misses(app)),
            ("milestones", app.milestones.run),
            *((("rebuild", app.rebuild.run), ("jobs", app.jobs.run)) if housekeeping else ()),
        ):
            group.append(asyncio.create_task(app.supervisor.keep(name, run), name=name))
        try:
            yield app
        finally:
            app.stopping.set()
            app.hub.close()
            with suppress(TimeoutError, ServiceUnavailable):
                async with asyncio.timeout(5):
                    await app.ledger.drain()
                    await app.milestones.flush()


async def _build(settings: Settings, clock: Callable[[], datetime], stack: AsyncExitStack) -> App:
    random = Random()
    engine = _engine(settings, stack)
    redis = _redis(settings, stack)
    database = Database(engine, Breaker("postgres", POSTGRES_FAILURES, time.monotonic))
    guard = Guard(Breaker("redis", REDIS_FAILURES, time.monotonic))
    prefix = f"{settings.redis_prefix}:"
    backend = RedisBackend(lambda: _new_redis(settings), prefix=prefix, random=random)
    broadcast = Broadcast(backend=backend)
    await stack.enter_async_context(broadcast)
    notices = Notices(broadcast)

    keys = RedisKeys(settings.redis_prefix)
    standings = Standings(redis, guard, keys, lambda category: prefix + boards_channel(category), clock)
    loading = Loading(redis, guard, keys)
    catalogue = CatalogueService(database, settings.score_cap)
    profiles = Profiles(database, redis, guard, settings.redis_prefix)
    rebuild = Rebuild(database, standings, loading, catalogue, lambda _: hub.distrust(), clock, os.urandom)
    epoch = f"pg-{uuid7(clock(), os.urandom).hex}"
    boards = ReadBoard(
        RedisBoards(standings, profiles, clock),
        PostgresBoards(database, profiles, clock, epoch),
        standings,
        rebuild.request,
        lambda: database.breaker.is_open,
        time.monotonic,
        clock,
    )
    hub = Hub(boards, broadcast, notices, clock=SystemClock(clock))
    database.breaker.on_change = guard.breaker.on_change = lambda: hub.distrust()

    async def announce_profile(user_id: UUID) -> None:
        with suppress(*OUTAGES):
            await notices.publish(ProfileChanged(user_id))

    users = Users(database, profiles, announce_profile, auto_provision=settings.auto_provision)
    batch = settings.group_commit_size if settings.group_commit else 1
    lanes = 2 if settings.group_commit else settings.db_pool_max // 2

    async def announce_milestone(milestone: Milestone) -> None:
        with suppress(*OUTAGES):
            await notices.publish(MilestoneReached(milestone))

    async def announce_catalogue() -> None:
        with suppress(*OUTAGES):
            await notices.publish(CatalogueChanged())

    milestones = Milestones(database, announce_milestone)
    announcer = Announcer(standings, hub.moved, rebuild.request, milestones.see_rank, batch=batch)
    recent = settings.fraud_thresholds.history - 1 if settings.fraud_enabled else 0
    accounts = Accounts(time.monotonic, recent=recent)
    ledger = Ledger(
        database, accounts, announcer, milestones, clock, os.urandom, batch=batch, lanes=lanes, recent=recent
    )
    amendments = Amendments(database, announcer, milestones, catalogue, clock, os.urandom)
    completions = Completions(
        ledger,
        _verifiers(settings, clock, stack),
        settings.fraud_thresholds if settings.fraud_enabled else None,
        random.random,
        spot_check_rate=settings.spot_check_rate,
    )
    action_secrets = _secrets(settings.action_token_secret, settings.action_token_secret_previous)
    signing_sessions = SigningSessions(
        database,
        action_secrets,
        users,
        clock,
        os.urandom,
        lifetime=timedelta(seconds=settings.signing_session_seconds),
        most=settings.max_signing_sessions,
    )
    anchors = Anchors(database, clock)
    action_claims = ActionClaims(action_secrets, clock)
    action_tokens = ActionTokens(
        database,
        action_claims,
        clock,
        os.urandom,
        lifetime=timedelta(seconds=settings.token_expiration_seconds),
        max_open=settings.max_open_tokens,
        batch=batch,
        lanes=lanes,
    )
    reconcile = Reconcile(database, standings, loading, catalogue, clock)
    close_windows = CloseWindows(database, loading, catalogue, clock)
    jobs = Jobs(
        engine,
        [
            Job("repair", 5, reconcile.recent),
            Job("reconcile", 300, reconcile.everything),
            Job("cleanup", 3600, action_tokens.delete_expired),
            Job("sessions", 3600, signing_sessions.delete_expired),
            Job("anchor", 300, anchors.anchor),
            Job("anchor-all", 21_600, anchors.anchor_everybody),
            Job("milestones", 60, milestones.repair),
            Job("close_windows", 5, close_windows),
        ],
        time.monotonic,
    )
    app = App(
        settings=settings,
        clock=clock,
        database=database,
        redis=redis,
        redis_guard=guard,
        rate_limiter=RateLimiter(redis, guard, limits_of(settings), time.monotonic, prefix=settings.redis_prefix),
        access_tokens=AccessTokens(
            _access_keys(settings, stack), issuer=settings.jwt_issuer, audience=settings.jwt_audience
        ),
        action_tokens=action_tokens,
        catalogue=catalogue,
        catalogue_changes=CatalogueChanges(
            database, catalogue, announce_catalogue, _ceilings(settings), clock, os.urandom
        ),
        export=Export(database, clock),
        import_archive=Import(database, catalogue, announce_catalogue, clock, os.urandom),
        opening_balances=OpeningBalances(database, milestones, catalogue, clock, os.urandom),
        milestones=milestones,
        player_profile=ReadPlayerProfile(database),
        profiles=profiles,
        users=users,
        issue_token=IssueToken(action_tokens, catalogue, users),
        submit_score=SubmitScore(action_claims, catalogue, users, completions, ledger),
        completions=completions,
        signing_sessions=signing_sessions,
        submit_signed_action=SubmitSignedAction(signing_sessions, catalogue, completions, ledger, clock),
        record_action=RecordAction(catalogue, users, ledger),
        moderation=moderation_of(database, ledger, amendments, catalogue, profiles, announce_profile),
        anchors=anchors,
        ledger=ledger,
        accounts=accounts,
        announcer=announcer,
        leaderboards=Leaderboards(hub, boards, profiles, catalogue, clock),
        history=PlayerHistory(database, profiles, clock),
        close_windows=close_windows,
        boards=boards,
        rebuild=rebuild,
        reconcile=reconcile,
        seeding=Seeding(database, catalogue, clock, random),
        verify=Verify(
            database,
            CheckBoards(database, Copies(redis, guard, keys), loading, catalogue, clock),
            cap=settings.score_cap,
        ),
        jobs=jobs,
        hub=hub,
        notices=notices,
        backend=backend,
        supervisor=Supervisor(random),
        stopping=asyncio.Event(),
    )
    notices.listen(lambda notice: _hear(app, notice))
    return app


def _hear(app: App, notice: Notice) -> None:
    """Forget what a notice says is no longer so."""
    match notice:
        case ProfileChanged(user_id):
            app.profiles.forget(user_id)
            app.users.forget(user_id)
            app.accounts.forget(user_id)
        case NoticesLost():
            app.profiles.forget_all()
            app.users.forget_all()
            app.accounts.forget_all()
            app.catalogue.outdated.set()
        case CatalogueChanged():
            app.catalogue.outdated.set()


async def _keep_catalogue(app: App) -> None:
    """Read the catalogue again when told to, and every half minute in case nobody could tell."""
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(30):
                await app.catalogue.outdated.wait()
        await app.catalogue.refresh()
        for category in app.catalogue.current.categories:  # A new one is not in Redis yet.
            app.rebuild.request(category)


async def _repair_misses(app: App) -> None:
    """Put right what this process could not tell Redis: no other process knows of it."""
    while True:
        await asyncio.sleep(1)
        with suppress(Unreachable, ServiceUnavailable):
            await app.announcer.repair(app.reconcile.recent)


@asynccontextmanager
async def _background() -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks: list[asyncio.Task[None]] = []
    try:
        yield tasks
    finally:
        # More than once: before Python 3.12 `wait_for`, which the Redis client stands on, may swallow a cancellation.
        while running := [task for task in tasks if not task.done()]:
            for task in running:
                task.cancel()
            await asyncio.wait(running, timeout=0.5)


def _ceilings(settings: Settings) -> Ceilings:
    return Ceilings(settings.score_cap, settings.max_points_per_action, settings.token_expiration_seconds)


def _engine(settings: Settings, stack: AsyncExitStack) -> AsyncEngine:
    assert settings.database_url is not None
    engine = open_engine(
        settings.database_url,
        minimum=settings.db_pool_min,
        maximum=settings.db_pool_max,
        timeout=settings.db_timeout,
        name="leaderboard",
    )
    stack.push_async_callback(engine.dispose)
    return engine


def _redis(settings: Settings, stack: AsyncExitStack) -> Redis:
    redis = _new_redis(settings)
    stack.push_async_callback(redis.aclose)
    return redis


def _new_redis(settings: Settings) -> Redis:
    """A client that repeats nothing by itself and waits for nothing long."""
    assert settings.redis_url is not None
    pool = BlockingConnectionPool.from_url(
        settings.redis_url,
        max_connections=32,
        timeout=settings.redis_timeout,
        socket_timeout=settings.redis_timeout,
        socket_connect_timeout=settings.redis_timeout,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)


def _verifiers(settings: Settings, clock: Callable[[], datetime], stack: AsyncExitStack) -> Verifiers:
    http = httpx2.AsyncClient(timeout=settings.verifier_timeout)
    stack.push_async_callback(http.aclose)
    secret = settings.verifier_webhook_secret
    surroundings = Surroundings(
        http,
        clock,
        time.monotonic,
        settings.verifier_timeout,
        settings.verifier_webhook_url,
        secret.get_secret_value() if secret else None,
    )
    try:
        return load_verifiers(settings.completion_verifiers, surroundings)
    except ValueError as error:
        raise SettingsError([str(error)]) from error


def _access_keys(settings: Settings, stack: AsyncExitStack) -> Keys:
    if settings.jwt_jwks_url is None:
        return SecretKeys(_secrets(settings.jwt_secret, settings.jwt_secret_previous))
    http = httpx2.AsyncClient(timeout=5.0)
    stack.push_async_callback(http.aclose)
    return JwksKeys(settings.jwt_jwks_url, http, time.monotonic)


def _secrets(current: SecretStr, previous: SecretStr | None) -> Secrets:
    return Secrets(current.get_secret_value(), previous.get_secret_value() if previous else None)
