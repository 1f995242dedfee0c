"""Record an action: a game's back-end reports an action of one of its players."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from app.domain.errors import DuplicateAction
from app.domain.ledger.idempotency import clean_key, clean_reason, content_hash, request_key
from app.domain.ledger.posting import ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.transactions import Actor, Kind
from app.domain.players.names import display_name
from app.domain.rules.judge import server_policy
from app.domain.users import Caller
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.post import Ledger
from app.services.players.provision import UserProvisioning


@dataclass(frozen=True, slots=True)
class ActionReport:
    """The report of a back-end. With a `username` the player is created if there is none."""

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
        self, server: Caller, report: ActionReport, *, address: str | None = None, user_agent: str | None = None
    ) -> Receipt:
        """Award the points to the player, and return the receipt; a repeat returns the first receipt.

        The rules of the action apply except its duration. Fraud detection and verification are up to the back-end.

        Raises:
            BadUserInput: The key was used for other content.
            UserNotFound: There is no such player, and no username or no provisioning.
            Forbidden: The player was deleted.
            DomainError: The refusals of the rules.
        """
        key = clean_key(report.idempotency_key)
        reason = None if report.reason is None else clean_reason(report.reason)
        catalogue = self._catalogue.current
        action = catalogue.action(report.action_type)
        points = action.points_for(report.difficulty)
        if report.username is not None:
            await self._users.ensure_exists(report.user_id, display_name(report.username, report.user_id))
        request = ScoreRequest(
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
            return await self._ledger.post(request, server_policy)
        except DuplicateAction as repeat:
            return repeat.receipt
