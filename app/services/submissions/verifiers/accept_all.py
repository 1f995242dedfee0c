"""The verifier of installations that have nothing to check with."""

from __future__ import annotations

from app.services.submissions.verifiers.protocol import Reported, Surroundings


class AcceptingVerifier:
    """Believes everything."""

    async def verify(self, reported: Reported) -> bool:
        """True."""
        return True


def accept(surroundings: Surroundings) -> AcceptingVerifier:
    """The factory for the settings."""
    return AcceptingVerifier()
