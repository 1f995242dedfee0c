"""Checks of the servers of others that the service calls."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from urllib.parse import urlsplit

import httpx2

from app.cli.doctor.findings import Check, Finding, ok, problem
from app.config import Settings
from app.domain.identity.issuers import DISCOVER, SECRET, Issuer
from app.runtime import Runtime
from app.services.auth.key_set_location import DiscoveredLocation, FixedLocation, KeySetLocation, fetch


class RemoteChecks:
    """Checks by HTTP. Nothing is changed anywhere."""

    def __init__(self, settings: Settings, http: httpx2.AsyncClient, runtime: Runtime) -> None:
        self._settings = settings
        self._http = http
        self._runtime = runtime

    def all(self) -> list[Check]:
        """Return the checks of all servers that the settings name."""
        settings = self._settings
        checks = [
            Check(f"keys of {issuer.name}", partial(self._key_set, issuer), "check JWT_ISSUER and JWT_JWKS_URL")
            for issuer in settings.issuers
            if issuer.keys != SECRET
        ]
        dsn = settings.sentry_dsn.get_secret_value() if settings.sentry_dsn else None
        others = (
            ("webhook", "VERIFIER_WEBHOOK_URL", settings.verifier_webhook_url),
            ("traces", "OTEL_EXPORTER_OTLP_ENDPOINT", settings.otel_exporter_otlp_endpoint),
            ("Sentry", "SENTRY_DSN", dsn),
        )
        checks += [
            Check(name, partial(self._answers, name, url), f"check {setting}, the network and the server")
            for name, setting, url in others
            if url
        ]
        return checks

    async def _key_set(self, issuer: Issuer) -> Iterable[Finding]:
        location: KeySetLocation = FixedLocation(issuer.keys)
        if issuer.keys == DISCOVER:
            only_encrypted = self._settings.is_production
            location = DiscoveredLocation(issuer.name, self._http, self._runtime, encrypted_only=only_encrypted)
        url = await location.url()
        document = json.loads(await fetch(self._http, url))
        keys = document.get("keys") if isinstance(document, dict) else None
        check = f"keys of {issuer.name}"
        if not isinstance(keys, list) or not keys:
            return [problem(check, f"there are no keys at {url}", "JWT_JWKS_URL must be the URL of a key set")]
        return [ok(check, f"{len(keys)} at {url}")]

    async def _answers(self, name: str, url: str) -> Iterable[Finding]:
        """Check that a server answers, whatever it answers: asking it to do something would have consequences."""
        response = await self._http.head(url)
        return [ok(name, f"{urlsplit(url).hostname} answers (HTTP {response.status_code})")]
