"""Record an action: a game's back-end reports what one of its players has done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.errors import DuplicateAction
from app.domain.ledger.idempotency import clean_key, clean_reason, content_hash, request_key
from app.domain.ledger.posting import Account, ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.transactions import Actor, Kind
from app.domain.rules import eligibility as rules
from app.domain.users import Caller
from app.domain.validation import clean_username
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.post import Ledger
from app.services.players.provision import UserProvisioning


@dataclass(frozen=True, slots=True)
class Report:
    """What a back-end says. With a `username` the player need not be known."""

    user_id: UUID
    action_type: str
    idempotency_key: str
    difficulty: str | None = None
    username: str | None = None
    reason: str | None = None


class RecordAction:
    """The use case behind the mutation `recordAction`."""

    def __init__(self, catalogue: CatalogueService, users: UserProvisioning, ledger: Ledger) -> None:
        self._catalogue = catalogue
        self._users = users
        self._ledger = ledger

    async def __call__(
        self, server: Caller, report: Report, *, address: str | None = None, user_agent: str | None = None
    ) -> Receipt:
        """Pay the player. A repeat with the same key and content gets the first receipt.

        The rules of the action hold here too, but for its duration; fraud and verifier are the back-end's business.
        Raises their refusals; BadUserInput for a key that was used for something else; UserNotFound for a player that
        is not known, unless there is a username and provisioning is on; Forbidden for one who was deleted.
        """
        key = clean_key(report.idempotency_key)
        reason = None if report.reason is None else clean_reason(report.reason)
        catalogue = self._catalogue.current
        action = catalogue.action(report.action_type)
        points = action.points_for(report.difficulty)
        if report.username is not None:
            await self._users.ensure_exists(report.user_id, clean_username(report.username))
        claim = ScoreRequest(
            user_id=report.user_id,
            category=catalogue.category(action.category),
            kind=Kind.SERVER_ACTION,
            points=points,
            actor=Actor(server.user_id, server.role.value, address, user_agent),
            action=action,
            request_key=request_key("server", server.user_id, key),
            request_hash=content_hash(str(report.user_id), action.id, report.difficulty),
            reason=reason,
        )
        try:
            return await self._ledger.post(claim, _judge)
        except DuplicateAction as repeat:
            return repeat.receipt


def _judge(claim: ScoreRequest, account: Account, now: datetime) -> ScoreRequest:
    rules.check(claim, account, now)
    return claim
