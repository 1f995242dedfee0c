"""Verifiers: the seam by which an installation checks, with its own game state, that an action really happened."""

from app.services.submissions.verifiers.accept_all import AcceptAllVerifier
from app.services.submissions.verifiers.protocol import CompletionReport, CompletionVerifier, VerifierContext
from app.services.submissions.verifiers.registry import Verifiers, load_verifiers
from app.services.submissions.verifiers.webhook import WebhookVerifier

__all__ = [
    "AcceptAllVerifier",
    "CompletionReport",
    "CompletionVerifier",
    "VerifierContext",
    "Verifiers",
    "WebhookVerifier",
    "load_verifiers",
]
