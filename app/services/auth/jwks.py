"""Keys of an identity provider, by its JWKS document (RFC 7517)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

import httpx2
import jwt
import structlog

from app.domain.errors import ServiceUnavailable
from app.domain.users import SigningKey
from app.services.auth.access_tokens import Candidate

log = structlog.get_logger(__name__)

ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA"]
"""Asymmetric ones only: with a shared-secret algorithm among them, the public key could sign."""

REFRESH_INTERVAL = 20.0
"""Seconds between two fetches by the clock, give or take a quarter: instances must not ask all at once."""

MIN_REFRESH_INTERVAL = 5.0
"""The least seconds between two fetches that unknown key ids ask for."""

FETCH_TIMEOUT = 5.0
"""Seconds for one fetch, however slowly the provider answers."""

MAX_KEYS = 100


class JwksKeys:
    """Keys fetched over HTTP when a token first asks for one, and then by the clock.

    A key that the document no longer has, or has with another value, is withdrawn: no token of it is accepted any
    more, and whatever is remembered from such a token learns of it. The other keys stay what they are. While the
    provider does not answer, the old keys are good.
    """

    algorithms = ALGORITHMS

    def __init__(
        self,
        url: str,
        http: httpx2.AsyncClient,
        monotonic: Callable[[], float],
        random: Random,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        fetch_timeout: float = FETCH_TIMEOUT,
    ) -> None:
        """`fetch_timeout` is in seconds; what else bounds a request, `http` brings with it."""
        self._url = url
        self._http = http
        self._monotonic = monotonic
        self._random = random
        self._sleep = sleep
        self._fetch_timeout = fetch_timeout
        self._keys: dict[str, Candidate] | None = None
        """The trusted keys by id; None before the first document."""
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Fetch the document by the clock, until cancelled. To be supervised."""
        while True:
            await self._sleep(REFRESH_INTERVAL * self._random.uniform(0.75, 1.25))
            await self.refresh()

    async def refresh(self) -> None:
        """Fetch the document now, or wait for the fetch that is under way. What fails leaves the keys as they are."""
        self._fetching = self._fetching or asyncio.create_task(self._fetch())
        await asyncio.shield(self._fetching)

    async def candidates(self, kid: str | None) -> Sequence[Candidate]:
        """Find the key of that id; none for an unknown one. Raises ServiceUnavailable without any document.

        A key is bound to its algorithm. An unknown id makes it look for new keys, but not often; nobody waits for the
        provider because of a known one.
        """
        if kid is None:
            return ()
        if (self._keys is None or kid not in self._keys) and (self._fetching is not None or self._may_ask()):
            await self.refresh()
        if self._keys is None:
            raise ServiceUnavailable(int(MIN_REFRESH_INTERVAL))
        return (self._keys[kid],) if kid in self._keys else ()

    def _may_ask(self) -> bool:
        return self._tried_at is None or self._monotonic() - self._tried_at >= MIN_REFRESH_INTERVAL

    async def _fetch(self) -> None:
        self._tried_at = self._monotonic()
        try:
            async with asyncio.timeout(self._fetch_timeout):
                response = await self._http.get(self._url)
            response.raise_for_status()
            found = _keys(response.json())
        except (httpx2.HTTPError, TimeoutError, ValueError) as error:
            log.warning("jwks_not_fetched", error=repr(error))  # The old keys are better than none.
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


def _keys(document: Any) -> dict[str, jwt.PyJWK]:
    """The usable keys by id, possibly none. Raises ValueError for what is no key set."""
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
