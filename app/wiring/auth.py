"""Wiring of keys and secrets for tokens, and of completion verifiers."""

from __future__ import annotations

from contextlib import AsyncExitStack

import httpx2
from pydantic import SecretStr

from app.config import Settings, SettingsError
from app.runtime import Runtime
from app.services.auth.jwks import JwksKeys
from app.services.auth.signing_keys import SigningKeys
from app.services.submissions.verifiers import VerifierContext, Verifiers, load_verifiers


def jwks_of(settings: Settings, runtime: Runtime, stack: AsyncExitStack) -> JwksKeys | None:
    """Create the key set of the identity provider; None if access tokens are signed with a shared secret."""
    if settings.jwt_jwks_url is None:
        return None
    http = httpx2.AsyncClient(timeout=5.0)
    stack.push_async_callback(http.aclose)
    return JwksKeys(settings.jwt_jwks_url, http, runtime)


def secrets_of(current: SecretStr, previous: SecretStr | None) -> SigningKeys:
    """Return the current and the previous secret as signing keys."""
    return SigningKeys(current.get_secret_value(), previous.get_secret_value() if previous else None)


def verifiers_of(settings: Settings, runtime: Runtime, stack: AsyncExitStack) -> Verifiers:
    """Load the completion verifiers that the settings name.

    Raises:
        SettingsError: A path does not lead to a verifier.
    """
    http = httpx2.AsyncClient(timeout=settings.verifier_timeout)
    stack.push_async_callback(http.aclose)
    secret = settings.verifier_webhook_secret
    context = VerifierContext(
        http,
        runtime.clock,
        runtime.monotonic,
        settings.verifier_timeout,
        settings.verifier_webhook_url,
        secret.get_secret_value() if secret else None,
    )
    try:
        return load_verifiers(settings.completion_verifiers, context)
    except ValueError as error:
        raise SettingsError([str(error)]) from error
