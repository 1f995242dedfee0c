"""The writing side: the ledger, and everything by which scores change."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from app.config import Settings
from app.services.ledger.account_cache import AccountCache
from app.services.ledger.after_commit import AfterCommit
from app.services.ledger.amend import Amendments
from app.services.ledger.milestones import Milestones
from app.services.ledger.post import Ledger
from app.services.moderation.moderation import Moderation, moderation_of
from app.services.players.provision import UserProvisioning
from app.services.submissions.action_token_codec import ActionClaims
from app.services.submissions.action_tokens import ActionTokens
from app.services.submissions.award import AwardService
from app.services.submissions.signing_sessions import SigningSessions
from app.wiring.auth import secrets_of, verifiers_of
from app.wiring.reading import ReadingSide
from app.wiring.stores import Stores


@dataclass(frozen=True, slots=True)
class WritingSide:
    """What issues, pays and corrects."""

    users: UserProvisioning
    milestones: Milestones
    after_commit: AfterCommit
    account_cache: AccountCache
    ledger: Ledger
    award_service: AwardService
    action_claims: ActionClaims
    action_tokens: ActionTokens
    signing_sessions: SigningSessions
    moderation: Moderation


def open_writing(
    settings: Settings,
    stores: Stores,
    reading: ReadingSide,
    clock: Callable[[], datetime],
    random: Random,
    stack: AsyncExitStack,
) -> WritingSide:
    """Everything that writes."""
    database, catalogue = stores.database, reading.catalogue
    # Without group commit every submission has a commit of its own, and many may be under way.
    batch, max_concurrent = (settings.group_commit_size, 3) if settings.group_commit else (1, settings.db_pool_max // 2)
    min_second_batch = (batch + 1) // 2
    users = UserProvisioning(
        database, reading.profiles, reading.announce_profile, auto_provision=settings.auto_provision
    )
    milestones = Milestones(database, reading.announce_milestone)
    after_commit = AfterCommit(
        stores.standings, reading.hub.moved, reading.rebuild.request, milestones.see_rank, batch=batch
    )
    recent = settings.fraud_thresholds.history - 1 if settings.fraud_enabled else 0
    account_cache = AccountCache(time.monotonic, recent=recent, has_notices=reading.backend.healthy.is_set)
    ledger = Ledger(
        database,
        account_cache,
        after_commit,
        milestones,
        clock,
        os.urandom,
        batch=batch,
        max_concurrent=max_concurrent,
        min_second_batch=min_second_batch,
        recent=recent,
    )
    amendments = Amendments(database, after_commit, milestones, catalogue, clock, os.urandom)
    award_service = AwardService(
        ledger,
        verifiers_of(settings, clock, stack),
        settings.fraud_thresholds if settings.fraud_enabled else None,
        random.random,
        spot_check_rate=settings.spot_check_rate,
    )
    secrets = secrets_of(settings.action_token_secret, settings.action_token_secret_previous)
    signing_sessions = SigningSessions(
        database,
        secrets,
        users,
        clock,
        os.urandom,
        lifetime=timedelta(seconds=settings.signing_session_seconds),
        most=settings.max_signing_sessions,
    )
    action_claims = ActionClaims(secrets, clock)
    action_tokens = ActionTokens(
        database,
        action_claims,
        clock,
        os.urandom,
        lifetime=timedelta(seconds=settings.token_expiration_seconds),
        max_open=settings.max_open_tokens,
        batch=batch,
        max_concurrent=max_concurrent,
        min_second_batch=min_second_batch,
    )
    moderation = moderation_of(database, ledger, amendments, catalogue, reading.profiles, reading.announce_profile)
    return WritingSide(
        users,
        milestones,
        after_commit,
        account_cache,
        ledger,
        award_service,
        action_claims,
        action_tokens,
        signing_sessions,
        moderation,
    )
