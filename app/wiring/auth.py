"""Wiring of keys and secrets for tokens, and of completion verifiers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack

import httpx2
from pydantic import SecretStr

from app.config import Settings, SettingsError
from app.domain.identity.issuers import DISCOVER, SECRET, Issuer
from app.runtime import Runtime
from app.services.auth.access_tokens import AccessTokens, IdentityProvider, KeySource, SharedSecretKeys
from app.services.auth.jwks import JwksKeys
from app.services.auth.key_set_location import DiscoveredLocation, FixedLocation, KeySetLocation
from app.services.auth.signing_keys import SigningKeys
from app.services.submissions.verifiers import VerifierContext, Verifiers, load_verifiers


def identity_providers_of(settings: Settings, runtime: Runtime, stack: AsyncExitStack) -> list[IdentityProvider]:
    """Create the accepted issuers of access tokens with their keys; nothing is fetched yet."""
    http = httpx2.AsyncClient(timeout=5.0, follow_redirects=False)
    stack.push_async_callback(http.aclose)

    def keys_of(issuer: Issuer) -> KeySource:
        if issuer.keys == SECRET:
            return SharedSecretKeys(secrets_of(settings.jwt_secret, settings.jwt_secret_previous))
        location: KeySetLocation = FixedLocation(issuer.keys)
        if issuer.keys == DISCOVER:
            location = DiscoveredLocation(issuer.name, http, runtime, encrypted_only=settings.is_production)
        return JwksKeys(location, http, runtime)

    return [
        IdentityProvider(issuer, keys_of(issuer), issuer.subject_ids(subject_is_user_id=settings.subject_is_user_id))
        for issuer in settings.issuers
    ]


def access_tokens_of(settings: Settings, providers: Sequence[IdentityProvider], runtime: Runtime) -> AccessTokens:
    """Create the verifier of the tokens of these issuers."""
    return AccessTokens(
        providers,
        runtime,
        max_lifetime=settings.access_token_max_lifetime,
        clock_skew=settings.jwt_clock_skew,
    )


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
