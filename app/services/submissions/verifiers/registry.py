"""Which verifier checks which action."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib import import_module

from app.domain.errors import ServiceUnavailable
from app.services.submissions.verifiers.accept_all import AcceptAllVerifier
from app.services.submissions.verifiers.protocol import CompletionReport, CompletionVerifier, VerifierContext

ANY = "*"
"""Stands for every action without a verifier of its own."""

GRACE = 0.25
"""Seconds by which a verifier may overrun its time before it is cut off: its own end comes first, and is counted."""


class Verifiers:
    """Verifiers by action. Actions without one are believed."""

    def __init__(self, by_action: Mapping[str, CompletionVerifier], timeout: float) -> None:
        """`timeout`: how many seconds a verifier has for its answer."""
        self._by_action = by_action
        self._fallback = by_action.get(ANY) or AcceptAllVerifier()
        self._timeout = timeout

    def accepts_without_asking(self, action_id: str) -> bool:
        """Whether asking about this action would be idle."""
        return isinstance(self._of(action_id), AcceptAllVerifier)

    async def verify(self, report: CompletionReport) -> bool:
        """What the action's verifier says. Raises ServiceUnavailable when it does not answer in time."""
        try:
            async with asyncio.timeout(self._timeout + GRACE):
                return await self._of(report.action_id).verify(report)
        except TimeoutError:
            raise ServiceUnavailable from None

    def _of(self, action_id: str) -> CompletionVerifier:
        return self._by_action.get(action_id, self._fallback)


def load_verifiers(paths: Mapping[str, str], context: VerifierContext) -> Verifiers:
    """Verifiers from import paths (`package.module:factory`) by action. Raises ValueError naming what is wrong."""
    made = {}
    for action_id, path in paths.items():
        module, _, name = path.partition(":")
        try:
            made[action_id] = getattr(import_module(module), name)(context)
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"COMPLETION_VERIFIERS: {path!r} for {action_id}: {error}") from error
    return Verifiers(made, context.timeout)
