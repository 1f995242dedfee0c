"""The keys of an identity provider, from its JWKS document (RFC 7517)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx2
import jwt
import structlog

from app.domain.errors import ServiceUnavailable
from app.domain.users import SigningKey
from app.runtime import Runtime
from app.services.auth.access_tokens import Candidate
from app.services.auth.key_set_location import KeySetLocation, fetch

log = structlog.get_logger(__name__)

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""Accepted algorithms: asymmetric ones only, since with a shared-secret algorithm the public key could sign tokens."""

REFRESH_INTERVAL = 20.0
"""Seconds between two scheduled fetches, varied by a quarter so that instances do not fetch at the same time."""

MIN_REFRESH_INTERVAL = 5.0
"""Minimum seconds between two fetches caused by unknown key ids."""

FETCH_TIMEOUT = 5.0
"""Maximum seconds of a fetch, from the connection to the last byte."""

MAX_KEYS = 100
"""Keys of a document that are used; the rest is ignored."""


class JwksKeys:
    """Keys fetched over HTTP: when the first token arrives, and then periodically.

    A key that is no longer in the document, or has another value there, is withdrawn: its tokens are not accepted any
    more, and everything cached for them is invalidated. The other keys stay valid, as do all keys while the provider
    does not answer.
    """

    algorithms = ALGORITHMS

    def __init__(
        self,
        location: KeySetLocation,
        http: httpx2.AsyncClient,
        runtime: Runtime,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        fetch_timeout: float = FETCH_TIMEOUT,
    ) -> None:
        """Create an empty set of keys; nothing is fetched yet.

        Args:
            location: Knows the address of the document.
            http: The client, which must not follow redirects.
            runtime: The source of time and of the variation of the interval.
            sleep: Waits for a number of seconds.
            fetch_timeout: Maximum seconds of a fetch.
        """
        self._location = location
        self._http = http
        self._monotonic = runtime.monotonic
        self._random = runtime.random
        self._sleep = sleep
        self._fetch_timeout = fetch_timeout
        self._keys: dict[str, Candidate] | None = None
        """The trusted keys by id; None before the first document was read."""
        self._fetched_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Fetch the document periodically, until cancelled."""
        while True:
            await self._sleep(REFRESH_INTERVAL * self._random.uniform(0.75, 1.25))
            await self.refresh()

    async def refresh(self) -> None:
        """Fetch the document now, or wait for the fetch that is under way. If it fails, the keys stay as they are."""
        self._fetching = self._fetching or asyncio.create_task(self._fetch())
        await asyncio.shield(self._fetching)

    async def candidates(self, kid: str | None) -> Sequence[Candidate]:
        """Return the key with the id `kid`; nothing for an unknown id.

        A key is bound to its algorithm. An unknown id causes a fetch, at most every `MIN_REFRESH_INTERVAL`; a known id
        never waits for the provider.

        Raises:
            ServiceUnavailable: No document could be fetched yet.
        """
        if kid is None:
            return ()
        if (self._keys is None or kid not in self._keys) and (self._fetching is not None or self._may_fetch()):
            await self.refresh()
        if self._keys is None:
            raise ServiceUnavailable(int(MIN_REFRESH_INTERVAL))
        return (self._keys[kid],) if kid in self._keys else ()

    def _may_fetch(self) -> bool:
        return self._fetched_at is None or self._monotonic() - self._fetched_at >= MIN_REFRESH_INTERVAL

    async def _fetch(self) -> None:
        self._fetched_at = self._monotonic()
        try:
            async with asyncio.timeout(self._fetch_timeout):
                document = await fetch(self._http, await self._location.url())
            found = _parse_keys(json.loads(document))
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, ValueError) as error:
            self._location.invalidate()
            log.warning("jwks_not_fetched", error=repr(error))
            return
        finally:
            self._fetching = None
        self._replace(found)

    def _replace(self, found: dict[str, jwt.PyJWK]) -> None:
        before = self._keys or {}
        self._keys = {
            kid: before[kid] if kid in before and _is_same(before[kid].material, key) else Candidate(key, SigningKey())
            for kid, key in found.items()
        }
        withdrawn = {kid: old for kid, old in before.items() if self._keys.get(kid) is not old}
        if withdrawn:
            log.warning("signing_keys_withdrawn", ids=sorted(withdrawn))
        for old in withdrawn.values():
            old.key.withdraw()


def _is_same(old: jwt.PyJWK, new: jwt.PyJWK) -> bool:
    return old.algorithm_name == new.algorithm_name and bool(old.key == new.key)


def _parse_keys(document: Any) -> dict[str, jwt.PyJWK]:
    """Return the usable keys by id. Raises ValueError for a document that is not a key set."""
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list):
        raise ValueError("The key set must be a JSON object with a list of `keys`")
    objects = [member for member in members if isinstance(member, dict)]
    if members and not objects:
        raise ValueError("The `keys` of the key set must be objects")
    keys: dict[str, jwt.PyJWK] = {}
    for member in objects[:MAX_KEYS]:
        try:
            key = jwt.PyJWK(member)
        except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
            continue
        if isinstance(key.key_id, str) and key.algorithm_name in ALGORITHMS and key.public_key_use in (None, "sig"):
            keys[key.key_id] = key
    return keys
