"""The registry of verifiers by action."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib import import_module

from app.domain.catalogue.catalogue import Action
from app.domain.errors import ServerOnlyAction, ServiceUnavailable
from app.services.submissions.verifiers.accept_all import AcceptAllVerifier
from app.services.submissions.verifiers.protocol import (
    CompletionReport,
    CompletionVerifier,
    Verification,
    VerifierContext,
)

ANY_ACTION = "*"
"""The key of the verifier for all actions without one of their own."""

CANCEL_DELAY_SECONDS = 0.25
"""Seconds after its time limit until a verifier is cancelled: its own time-out comes first, and is counted."""


class Verifiers:
    """Verifiers by action. Completions of actions without one are accepted."""

    def __init__(self, by_action: Mapping[str, CompletionVerifier], timeout: float) -> None:
        """`timeout`: the time limit of a verifier, in seconds."""
        self._by_action = by_action
        self._fallback = by_action.get(ANY_ACTION) or AcceptAllVerifier()
        self._timeout = timeout

    def accepts_without_asking(self, action_id: str) -> bool:
        """Return whether the action has no verifier to ask."""
        return isinstance(self._of(action_id), AcceptAllVerifier)

    def require_claimable(self, action: Action) -> None:
        """Require that players can submit the action: a STATED one needs a verifier. Raises ServerOnlyAction."""
        if action.is_stated and self.accepts_without_asking(action.id):
            raise ServerOnlyAction

    async def verify(self, report: CompletionReport) -> Verification:
        """Return the answer of the action's verifier. Raises ServiceUnavailable when it does not decide in time."""
        try:
            async with asyncio.timeout(self._timeout + CANCEL_DELAY_SECONDS):
                return await self._of(report.action_id).verify(report)
        except TimeoutError:
            raise ServiceUnavailable from None

    def _of(self, action_id: str) -> CompletionVerifier:
        return self._by_action.get(action_id, self._fallback)


def load_verifiers(paths: Mapping[str, str], context: VerifierContext) -> Verifiers:
    """Load verifiers from import paths (`package.module:factory`) by action. Raises ValueError for a wrong path."""
    made = {}
    for action_id, path in paths.items():
        module, _, name = path.partition(":")
        try:
            made[action_id] = getattr(import_module(module), name)(context)
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"COMPLETION_VERIFIERS: {path!r} for {action_id}: {error}") from error
    return Verifiers(made, context.timeout)
