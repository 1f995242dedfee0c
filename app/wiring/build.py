"""Creation of the application: every service with its dependencies."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

from app.config import Settings
from app.domain.catalogue.changes import CatalogueLimits
from app.runtime import Runtime
from app.services.archives.export_archive import ArchiveExport
from app.services.archives.import_archive import ArchiveImport
from app.services.archives.opening_balances import OpeningBalances
from app.services.archives.seed import Seed
from app.services.auth.api_keys import ApiKeys
from app.services.auth.jwks import JwksKeys
from app.services.board_index.reconcile import Reconcile
from app.services.board_index.shards import ChangeShards
from app.services.boards.checkpoints import Checkpoints
from app.services.boards.close_windows import CloseWindows
from app.services.boards.live_updates import LiveUpdates
from app.services.boards.past_ranks import PastRanks
from app.services.boards.queries import BoardQueries
from app.services.catalogue.changes import CatalogueChanges
from app.services.catalogue.lists import CatalogueLists
from app.services.jobs import Job, Jobs
from app.services.ledger.anchor_job import Anchors
from app.services.ledger.partitions import Partitions
from app.services.limits.rate_limiter import RateLimiter
from app.services.limits.refusal_delay import RefusalDelay
from app.services.limits.refusals import Refusals
from app.services.limits.running_operations import RunningOperations
from app.services.limits.shards import CLUSTER_SHARDS
from app.services.moderation.flag_reviews import FlagReviews
from app.services.outbox.recorder import EventRecorder
from app.services.players.find_players import FindPlayers
from app.services.players.read_history import PlayerHistory
from app.services.players.read_profile import ReadPlayerProfile
from app.services.retention.archive_months import ArchiveMonths
from app.services.retention.cleanup import Cleanup, Retention
from app.services.retention.thin_anchors import ThinAnchors
from app.services.retention.verify_months import VerifyMonths
from app.services.submissions.issue_action_token import IssueToken
from app.services.submissions.record_action import RecordActions
from app.services.submissions.submit_score import SubmitScore
from app.services.submissions.submit_signed_action import SubmitSignedAction
from app.services.verify import Verify
from app.services.verify.boards import CheckBoards
from app.services.viewer import ReadViewer
from app.stores.lease import Lease
from app.stores.statistics import StoreStatistics
from app.telemetry.metrics.loop_lag import EventLoopLag
from app.telemetry.supervision import Supervisor
from app.wiring.app import App
from app.wiring.auth import access_tokens_of, identity_providers_of
from app.wiring.events import Outbox, create_outbox, jobs_of
from app.wiring.limits import rate_limits_of, running_limits_of
from app.wiring.reading import create_read_services
from app.wiring.stores import open_stores
from app.wiring.writing import WriteServices, create_write_services


async def build_app(settings: Settings, runtime: Runtime, stack: AsyncExitStack) -> App:
    """Create the application; `stack` closes its clients. Its background work is not started."""
    stores = open_stores(settings, runtime, stack)
    reading = await create_read_services(settings, stores, runtime, stack)
    events = EventRecorder(settings.event_types, settings.score_events, runtime)
    writing = create_write_services(settings, stores, reading, runtime, events, stack)
    database, catalogue, announcements = stores.database, reading.catalogue, reading.announcements
    reconcile = Reconcile(database, stores.housekeeping_index, stores.index_loader, catalogue, reading.rebuild, runtime)
    close_windows = CloseWindows(database, stores.index_loader, catalogue, events, stores.server_clock)
    checkpoints = Checkpoints(database, catalogue, runtime)
    anchors = Anchors(database, events, runtime)
    outbox = create_outbox(settings, stores, catalogue, events, runtime, stack)
    retention = Retention(
        request_keys=timedelta(days=settings.request_key_retention_days),
        origins=timedelta(days=settings.address_retention_days),
        flags=timedelta(days=settings.flag_retention_days),
    )
    cleanup = Cleanup(database, runtime, retention)
    partitions = Partitions(database, runtime)
    thin_anchors = ThinAnchors(database, runtime)
    jobs_lease = Lease(database, "jobs", runtime)
    limits = CatalogueLimits(settings.max_points_per_action, settings.token_expiration_seconds)
    providers = identity_providers_of(settings, runtime, stack)
    refusal_delay = RefusalDelay(settings.rate_limit_refusal_delay)
    rate_limiter = RateLimiter(
        stores.redis,
        stores.redis_caller,
        rate_limits_of(settings),
        runtime,
        refusal_delay,
        prefix=settings.redis_prefix,
        shards=CLUSTER_SHARDS if settings.redis_cluster_enabled else 1,
    )
    return App(
        settings=settings,
        runtime=runtime,
        database=database,
        server_clock=stores.server_clock,
        replicas=stores.replicas,
        bulkheads={"past": stores.past, "deep": stores.deep},
        databases=stores.databases,
        redis=stores.redis,
        redis_caller=stores.redis_caller,
        redis_callers=stores.redis_callers,
        rate_limiter=rate_limiter,
        refusals=Refusals(
            settings.rate_limit_refused_per_address if settings.rate_limit_enabled else None,
            settings.rate_limit_network_factor,
            runtime,
            refusal_delay,
        ),
        refusal_delay=refusal_delay,
        running_operations=RunningOperations(running_limits_of(settings)),
        key_sets=[provider.keys for provider in providers if isinstance(provider.keys, JwksKeys)],
        access_tokens=access_tokens_of(settings, providers, runtime),
        api_keys=ApiKeys(database, runtime),
        action_tokens=writing.action_tokens,
        catalogue=catalogue,
        catalogue_changes=CatalogueChanges(
            database, catalogue, announcements.catalogue_changed, limits, events, runtime
        ),
        change_shards=ChangeShards(
            database, catalogue, stores.index_loader, reading.rebuild, jobs_lease, limits, runtime
        ),
        export=ArchiveExport(database, runtime),
        import_archive=ArchiveImport(database, catalogue, partitions, announcements.catalogue_changed, runtime),
        opening_balances=OpeningBalances(database, writing.milestones, catalogue, partitions, runtime),
        milestones=writing.milestones,
        player_profile=ReadPlayerProfile(database),
        players=FindPlayers(database, reading.profiles),
        profiles=reading.profiles,
        profile_changes=writing.profile_changes,
        profile_generation=reading.profile_generation,
        users=writing.users,
        issue_token=IssueToken(writing.action_tokens, catalogue, writing.users, writing.eligibility, writing.verifiers),
        submit_score=SubmitScore(
            writing.action_claims, catalogue, writing.users, writing.award_service, writing.ledger
        ),
        award_service=writing.award_service,
        signing_sessions=writing.signing_sessions,
        submit_signed_action=SubmitSignedAction(
            writing.signing_sessions, catalogue, writing.award_service, writing.ledger, runtime
        ),
        record_actions=RecordActions(catalogue, writing.users, writing.ledger, writing.submission_log),
        moderation=writing.moderation,
        anchors=anchors,
        ledger=writing.ledger,
        account_cache=writing.account_cache,
        after_commit=writing.after_commit,
        past_answers=reading.past_answers,
        past_ranks=PastRanks(reading.board_reader, stores.past, runtime),
        board_queries=BoardQueries(reading.hub, reading.board_reader, reading.profiles, catalogue, runtime),
        history=PlayerHistory(database, stores.past, reading.profiles, runtime),
        close_windows=close_windows,
        checkpoints=checkpoints,
        board_reader=reading.board_reader,
        live_updates=LiveUpdates(reading.hub, reading.profiles, catalogue),
        viewer=ReadViewer(
            reading.profiles,
            reading.board_reader,
            rate_limiter,
            writing.action_tokens,
            writing.moderation.reviews,
            catalogue,
            runtime,
            max_open_tokens=settings.max_open_tokens,
        ),
        entry_metadata=reading.entry_metadata,
        flag_reviews=FlagReviews(writing.moderation.reviews, reading.profiles),
        catalogue_lists=CatalogueLists(catalogue),
        missed_writes=reading.missed_writes,
        rebuild=reading.rebuild,
        reconcile=reconcile,
        seeding=Seed(database, catalogue, runtime),
        verify=Verify(
            database,
            CheckBoards(database, stores.index_rows, stores.index_loader, catalogue, runtime),
            cap=settings.score_cap,
        ),
        cleanup=cleanup,
        partitions=partitions,
        outbox=outbox,
        thin_anchors=thin_anchors,
        archive_months=ArchiveMonths(database, runtime, retention),
        verify_months=VerifyMonths(database),
        jobs=Jobs(
            jobs_lease,
            _jobs(reconcile, close_windows, checkpoints, anchors, writing, cleanup, partitions, thin_anchors, outbox),
            runtime,
        ),
        hub=reading.hub,
        notices=reading.notices,
        backend=reading.backend,
        supervisor=Supervisor(runtime),
        event_loop_lag=EventLoopLag(),
        store_statistics=StoreStatistics(database, stores.redis, stores.redis_caller),
        stopping=asyncio.Event(),
    )


def _jobs(
    reconcile: Reconcile,
    close_windows: CloseWindows,
    checkpoints: Checkpoints,
    anchors: Anchors,
    writing: WriteServices,
    cleanup: Cleanup,
    partitions: Partitions,
    thin_anchors: ThinAnchors,
    outbox: Outbox,
) -> list[Job]:
    return [
        Job("repair", 5, 60, reconcile.recent),
        Job("reconcile", 300, 3600, reconcile.everything),
        Job("cleanup", 600, 600, cleanup),
        Job("partitions", 21_600, 600, partitions.ensure),
        Job("anchor", 300, 600, anchors.anchor),
        Job("anchor_all", 21_600, 3600, anchors.anchor_all),
        Job("thin_anchors", 3600, 600, thin_anchors),
        Job("profile_changes", 1, 60, writing.profile_changes.repeat),
        Job("milestones", 60, 60, writing.milestones.repair),
        Job("close_windows", 5, 120, close_windows),
        Job("checkpoints", 10, 600, checkpoints),
        *jobs_of(outbox),
    ]
