"""The verifier that asks an HTTP service of the installation.

The request is a POST of JSON with two headers that prove its origin and its time:

    X-Leaderboard-Timestamp: 1767225600                  Unix seconds
    X-Leaderboard-Signature: v1=<hex HMAC-SHA256 of "<timestamp>.<body>", keyed with VERIFIER_WEBHOOK_SECRET>

The response is status 200 with `{"accepted": true}` or `{"accepted": false}`; `value` states what a completion of a
STATED action is worth, and `metadata` what its entry shows. Everything else, a time-out included, is a failure: the
submission is refused with a temporary error, and its token stays usable.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable
from datetime import datetime

import httpx2

from app.domain.errors import ServiceUnavailable
from app.runtime import Runtime
from app.services.submissions.verifiers.protocol import CompletionReport, Verification, VerifierContext
from app.stores.circuit_breaker import CircuitBreaker, CircuitOpen

MAX_RESPONSE_BYTES = 4096


class InvalidResponse(Exception):
    """The service responded, but not as the protocol demands."""


FAILURES: tuple[type[Exception], ...] = (httpx2.HTTPError, OSError, TimeoutError, InvalidResponse)
UNAVAILABLE: tuple[type[Exception], ...] = (CircuitOpen, *FAILURES)


class WebhookVerifier:
    """Asks the service through a circuit breaker: a service that is down is not asked by every submission."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        url: str,
        secret: str,
        clock: Callable[[], datetime],
        breaker: CircuitBreaker,
        timeout: float,
    ) -> None:
        """`timeout`: how many seconds the whole exchange may take."""
        self._http = http
        self._url = url
        self._secret = secret.encode()
        self._clock = clock
        self._breaker = breaker
        self._timeout = timeout

    async def verify(self, report: CompletionReport) -> Verification:
        """Return the answer of the service. Raises ServiceUnavailable when there is no valid response."""
        report_fields = {
            "userId": str(report.user_id),
            "actionType": report.action_id,
            "category": report.category_id,
            "points": report.points,
            "startedAt": report.started_at.isoformat() if report.started_at else None,
            "data": report.evidence,
            "suspect": report.suspect,
        }
        body = json.dumps(report_fields).encode()  # Not orjson: a client's integers may be of any size.
        try:
            with self._breaker.call():
                async with asyncio.timeout(self._timeout):
                    return await self._ask(body)
        except UNAVAILABLE as failure:
            raise ServiceUnavailable from failure

    async def _ask(self, body: bytes) -> Verification:
        timestamp = str(int(self._clock().timestamp()))
        headers = {
            "content-type": "application/json",
            "x-leaderboard-timestamp": timestamp,
            "x-leaderboard-signature": f"v1={signature(self._secret, timestamp, body)}",
        }
        async with self._http.stream("POST", self._url, content=body, headers=headers) as response:
            if response.status_code != httpx2.codes.OK:
                raise InvalidResponse(f"status {response.status_code}")
            return _verification(await _read(response))


def webhook(context: VerifierContext) -> WebhookVerifier:
    """Create the verifier. Raises ValueError without VERIFIER_WEBHOOK_URL and VERIFIER_WEBHOOK_SECRET."""
    if not context.webhook_url or not context.webhook_secret:
        raise ValueError("VERIFIER_WEBHOOK_URL and VERIFIER_WEBHOOK_SECRET must be set for the webhook verifier")
    return WebhookVerifier(
        context.http,
        context.webhook_url,
        context.webhook_secret,
        context.clock,
        CircuitBreaker("verifier", FAILURES, Runtime(monotonic=context.monotonic)),
        context.timeout,
    )


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return the signature for the header, for senders and receivers."""
    return hmac.new(secret, f"{timestamp}.".encode() + body, "sha256").hexdigest()


async def _read(response: httpx2.Response) -> bytes:
    answer = b""
    async for chunk in response.aiter_bytes():
        answer += chunk
        if len(answer) > MAX_RESPONSE_BYTES:
            raise InvalidResponse("a response of more than 4 KiB")
    return answer


def _verification(answer: bytes) -> Verification:
    try:
        content = json.loads(answer)
    except (ValueError, RecursionError):
        raise InvalidResponse("not JSON") from None
    accepted = content.get("accepted") if isinstance(content, dict) else None
    if not isinstance(accepted, bool):
        raise InvalidResponse("no `accepted`")
    return Verification(accepted, content.get("value"), content.get("metadata"))
