"""Record actions: a game's back end reports actions of its players."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.domain.errors import BadUserInput, DuplicateAction
from app.domain.ledger.idempotency import clean_key, content_hash, request_key
from app.domain.ledger.metadata import metadata_of
from app.domain.ledger.posting import ScoreRequest
from app.domain.ledger.receipts import Receipt
from app.domain.ledger.transactions import Actor, Kind
from app.domain.players.names import display_name
from app.domain.rules.judge import server_policy
from app.domain.rules.stated_values import MAX_REPORTS, points_of
from app.domain.texts import clean_reason
from app.domain.users import Caller
from app.services.catalogue.cache import CatalogueService
from app.services.ledger.post import Ledger
from app.services.players.provision import UserProvisioning
from app.services.submissions.outcome_counts import ACCEPTED, REPEATED, outcome_of
from app.services.submissions.submission_log import SubmissionLog


@dataclass(frozen=True, slots=True)
class ActionReport:
    """The report of a back end.

    Attributes:
        value: What the completion is worth, if the action is STATED.
        username: With a name, the player is created if there is none.
        metadata: JSON for the player's entry, if the category keeps metadata.
    """

    user_id: UUID
    action_type: str
    idempotency_key: str
    difficulty: str | None = None
    value: int | None = None
    username: str | None = None
    reason: str | None = None
    metadata: Any = None


class RecordActions:
    """The use cases behind the mutations `recordAction` and `recordActions`."""

    def __init__(
        self, catalogue: CatalogueService, users: UserProvisioning, ledger: Ledger, submission_log: SubmissionLog
    ) -> None:
        self._catalogue = catalogue
        self._users = users
        self._ledger = ledger
        self._submission_log = submission_log
        self.outcomes: Counter[str] = Counter()
        """How many reports were accepted, repeated or refused, by the code."""

    async def record(
        self, server: Caller, report: ActionReport, *, address: str | None = None, user_agent: str | None = None
    ) -> Receipt:
        """Award the points to the player, and return the receipt; a repeat returns the first receipt.

        The rules of the action apply except its duration. Fraud detection and verification are up to the back end.

        Raises:
            BadUserInput: The key was used for other content, or the value or the metadata does not fit the action.
            UserNotFound: There is no such player, and no username or no provisioning.
            Forbidden: The player was deleted.
            DomainError: The refusals of the rules.
        """
        started = self._submission_log.now()
        try:
            request = await self._request(server, report, address, user_agent)
            receipt = await self._ledger.post(request, server_policy)
        except Exception as error:
            outcome = self._outcome(error)
            if isinstance(outcome, Exception):
                raise
            return outcome
        self._submission_log.accepted(request, receipt, started)
        self._outcome(receipt)
        return receipt

    async def record_all(
        self,
        server: Caller,
        reports: Sequence[ActionReport | BadUserInput],
        *,
        address: str | None = None,
        user_agent: str | None = None,
    ) -> list[Receipt | Exception]:
        """Return for each report what `record` returns or raises: one that fails does not affect the others.

        All of them share a commit, except that those of one player are posted one after the other, in their order.

        Args:
            server: The back end.
            reports: Up to `MAX_REPORTS` reports. An error stands for one that cannot be read, and is its outcome.
            address: The address of the back end.
            user_agent: The user agent of the back end.

        Raises:
            BadUserInput: There are too many reports.
        """
        if len(reports) > MAX_REPORTS:
            raise BadUserInput(f"There must be at most {MAX_REPORTS} actions.")
        started = self._submission_log.now()
        requests = await asyncio.gather(
            *(self._request(server, report, address, user_agent) for report in reports), return_exceptions=True
        )
        # All at once, when all players are known: the ledger makes one batch of what arrives together.
        posted = {
            index: self._ledger.post(request, server_policy)
            for index, request in enumerate(requests)
            if isinstance(request, ScoreRequest)
        }
        results: dict[int, Any] = dict(enumerate(requests))
        results |= zip(posted, await asyncio.gather(*posted.values(), return_exceptions=True), strict=True)
        for index in posted:
            request, result = requests[index], results[index]
            if isinstance(request, ScoreRequest) and isinstance(result, Receipt):
                self._submission_log.accepted(request, result, started)
        return [self._outcome(results[index]) for index in range(len(reports))]

    def _outcome(self, result: Receipt | BaseException) -> Receipt | Exception:
        """Count a result, and return it; for a repeat, the first receipt.

        Raises:
            BaseException: The result, if it is not an Exception, such as a cancellation.
        """
        if isinstance(result, DuplicateAction):
            self.outcomes[REPEATED] += 1
            return result.receipt
        if isinstance(result, Receipt):
            self.outcomes[ACCEPTED] += 1
            return result
        if isinstance(result, Exception):
            self.outcomes[outcome_of(result)] += 1
            return result
        raise result

    async def _request(
        self, server: Caller, report: ActionReport | BadUserInput, address: str | None, user_agent: str | None
    ) -> ScoreRequest:
        """Return the score request of a report, after creating its player where that is asked for."""
        if isinstance(report, BadUserInput):
            raise report
        key = clean_key(report.idempotency_key)
        reason = None if report.reason is None else clean_reason(report.reason)
        catalogue = self._catalogue.current
        action = catalogue.action(report.action_type)
        category = catalogue.category(action.category)
        points = points_of(action, category, report.difficulty, report.value)
        metadata = metadata_of(report.metadata)
        if metadata and not category.entry_metadata:
            raise BadUserInput(f"`metadata` must not be given: entries of the category {category.id} have none.")
        stated = () if report.value is None and not metadata else (report.value, *(text for _, text in metadata))
        if report.username is not None:
            await self._users.ensure_exists(report.user_id, display_name(report.username, report.user_id))
        return ScoreRequest(
            user_id=report.user_id,
            category=category,
            kind=Kind.SERVER_ACTION,
            points=points,
            actor=Actor(server.user_id, server.role.value, address, user_agent),
            action=action,
            request_key=request_key("server", server.user_id, key),
            request_hash=content_hash(str(report.user_id), action.id, report.difficulty, *stated),
            reason=reason,
            metadata=metadata,
        )
