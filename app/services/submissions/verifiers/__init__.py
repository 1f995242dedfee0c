"""Verifiers: the seam by which an installation checks, with its own game state, that an action really happened."""

from app.services.submissions.verifiers.accept_all import AcceptingVerifier
from app.services.submissions.verifiers.protocol import CompletionVerifier, Reported, Surroundings
from app.services.submissions.verifiers.registry import Verifiers, load_verifiers
from app.services.submissions.verifiers.webhook import WebhookVerifier

__all__ = [
    "AcceptingVerifier",
    "CompletionVerifier",
    "Reported",
    "Surroundings",
    "Verifiers",
    "WebhookVerifier",
    "load_verifiers",
]
