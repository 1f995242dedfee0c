"""Wiring of the ledger and of everything that changes scores."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from app.config import Settings
from app.domain.boards.board import Board
from app.domain.rules.stated_values import MAX_REPORTS
from app.runtime import Runtime
from app.services.ledger.account_cache import AccountCache
from app.services.ledger.after_commit import AfterCommit
from app.services.ledger.amend import Amendments
from app.services.ledger.eligibility import Eligibility
from app.services.ledger.load import AccountLoader
from app.services.ledger.milestones import Milestones
from app.services.ledger.post import Ledger
from app.services.moderation.moderation_services import Moderation, moderation_of
from app.services.outbox.recorder import EventRecorder
from app.services.players.profile_changes import ProfileChanges
from app.services.players.provision import UserProvisioning
from app.services.submissions.action_token_codec import ActionTokenCodec
from app.services.submissions.action_token_store import ActionTokens
from app.services.submissions.award import AwardService
from app.services.submissions.signing_sessions import SigningSessions
from app.services.submissions.submission_log import SubmissionLog
from app.services.submissions.verifiers import Verifiers
from app.wiring.auth import secrets_of, verifiers_of
from app.wiring.reading import ReadServices
from app.wiring.stores import Stores


@dataclass(frozen=True, slots=True)
class WriteServices:
    """The objects that issue action tokens, post to the ledger and correct scores."""

    profile_changes: ProfileChanges
    users: UserProvisioning
    milestones: Milestones
    after_commit: AfterCommit
    account_cache: AccountCache
    eligibility: Eligibility
    ledger: Ledger
    verifiers: Verifiers
    award_service: AwardService
    submission_log: SubmissionLog
    action_claims: ActionTokenCodec
    action_tokens: ActionTokens
    signing_sessions: SigningSessions
    moderation: Moderation


def create_write_services(
    settings: Settings,
    stores: Stores,
    reading: ReadServices,
    runtime: Runtime,
    events: EventRecorder,
    stack: AsyncExitStack,
) -> WriteServices:
    """Create everything that writes."""
    database, catalogue, announcements = stores.database, reading.catalogue, reading.announcements
    # Without group commit every submission is a transaction of its own, and many may run at the same time.
    batch, max_concurrent = (settings.group_commit_size, 3) if settings.group_commit else (1, settings.db_pool_max // 2)
    min_second_batch = (batch + 1) // 2
    profile_changes = ProfileChanges(database, reading.profiles, announcements.profile_changed)
    users = UserProvisioning(database, profile_changes, auto_provision=settings.auto_provision)
    milestones = Milestones(database, announcements.milestone_reached, events)

    def reread_own_writes(boards: Collection[Board]) -> None:
        reading.board_reader.outdate(boards)
        reading.hub.reread_own_writes(boards)

    after_commit = AfterCommit(
        stores.board_index,
        reading.hub.notify_changed,
        reading.rebuild.request,
        milestones.handle_rank,
        reading.missed_writes.record,
        reread_own_writes,
        reading.missed_writes.record_unanswered,
        max_batch_size=batch,
    )
    max_history = settings.fraud_thresholds.history - 1 if settings.fraud_enabled else 0
    account_cache = AccountCache(runtime, max_history=max_history, has_notices=reading.backend.healthy.is_set)
    for cache in (account_cache, users):
        reading.caches_outdated.connect(cache.invalidate_all)
    loader = AccountLoader(database, account_cache, max_history=max_history)
    ledger = Ledger(
        database,
        loader,
        milestones,
        after_commit,
        events,
        runtime,
        # What a back end reports at once shares a commit.
        max_batch_size=max(batch, MAX_REPORTS) if settings.group_commit else 1,
        max_concurrent=max_concurrent,
        min_second_batch=min_second_batch,
    )
    amendments = Amendments(database, after_commit, milestones, catalogue, events, runtime)
    verifiers = verifiers_of(settings, runtime, stack)
    submission_log = SubmissionLog(runtime, rate=settings.log_submissions)
    award_service = AwardService(
        ledger,
        verifiers,
        settings.fraud_thresholds if settings.fraud_enabled else None,
        runtime,
        spot_check_rate=settings.spot_check_rate,
        submission_log=submission_log,
    )
    secrets = secrets_of(settings.action_token_secret, settings.action_token_secret_previous)
    signing_sessions = SigningSessions(
        database,
        secrets,
        users,
        runtime,
        lifetime=timedelta(seconds=settings.signing_session_seconds),
        max_sessions=settings.max_signing_sessions,
    )
    action_claims = ActionTokenCodec(secrets, runtime)
    action_tokens = ActionTokens(
        database,
        action_claims,
        runtime,
        lifetime=timedelta(seconds=settings.token_expiration_seconds),
        max_open=settings.max_open_tokens,
        max_batch_size=batch,
        max_concurrent=max_concurrent,
        min_second_batch=min_second_batch,
    )
    moderation = moderation_of(database, ledger, amendments, catalogue, profile_changes, announcements.profile_changed)
    return WriteServices(
        profile_changes,
        users,
        milestones,
        after_commit,
        account_cache,
        Eligibility(loader, runtime, max_batch_size=settings.group_commit_size),
        ledger,
        verifiers,
        award_service,
        submission_log,
        action_claims,
        action_tokens,
        signing_sessions,
        moderation,
    )
