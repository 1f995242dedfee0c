"""Verifiers: plug-ins that ask the game of an installation whether an action really happened."""

from app.services.submissions.verifiers.accept_all import AcceptAllVerifier
from app.services.submissions.verifiers.protocol import (
    CompletionReport,
    CompletionVerifier,
    Verification,
    VerifierContext,
)
from app.services.submissions.verifiers.registry import Verifiers, load_verifiers
from app.services.submissions.verifiers.webhook import WebhookVerifier

__all__ = [
    "AcceptAllVerifier",
    "CompletionReport",
    "CompletionVerifier",
    "Verification",
    "VerifierContext",
    "Verifiers",
    "WebhookVerifier",
    "load_verifiers",
]
