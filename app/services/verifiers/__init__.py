"""Verifiers: the seam by which an installation checks, with its own game state, that an action really happened."""

from app.services.verifiers.accepting import AcceptingVerifier
from app.services.verifiers.registry import Verifiers, load_verifiers
from app.services.verifiers.seam import CompletionVerifier, Reported, Surroundings
from app.services.verifiers.webhook import WebhookVerifier

__all__ = [
    "AcceptingVerifier",
    "CompletionVerifier",
    "Reported",
    "Surroundings",
    "Verifiers",
    "WebhookVerifier",
    "load_verifiers",
]
