"""The verifier that asks an HTTP service of the installation.

Request: POST, JSON, with two headers that prove where it comes from and that it is not an old one played again:

    X-Leaderboard-Timestamp: 1767225600                  Unix seconds
    X-Leaderboard-Signature: v1=<hex HMAC-SHA256 of "<timestamp>.<body>", keyed with VERIFIER_WEBHOOK_SECRET>

Answer: status 200 and `{"completed": true}` or `{"completed": false}`. Everything else, slowness included, counts as
no answer: the submission is refused as a passing fault, and its token stays usable.
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
from app.services.submissions.verifiers.protocol import CompletionReport, VerifierContext
from app.stores.circuit_breaker import CircuitBreaker, CircuitOpen

LONGEST_ANSWER = 4096


class NoAnswer(Exception):
    """The service answered, but not the question."""


FAILURES: tuple[type[Exception], ...] = (httpx2.HTTPError, OSError, TimeoutError, NoAnswer)
NOT_ASKED_OR_FAILED: tuple[type[Exception], ...] = (CircuitOpen, *FAILURES)


class WebhookVerifier:
    """Asks behind a breaker: a service that is down is not asked by every submission."""

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

    async def verify(self, report: CompletionReport) -> bool:
        """What the service says. Raises ServiceUnavailable when it says nothing that can be understood."""
        question = {
            "userId": str(report.user_id),
            "actionType": report.action_id,
            "category": report.category_id,
            "points": report.points,
            "startedAt": report.started_at.isoformat() if report.started_at else None,
            "data": report.evidence,
            "suspect": report.suspect,
        }
        body = json.dumps(question).encode()  # Not orjson: a client's integers may be of any size.
        try:
            with self._breaker.call():
                async with asyncio.timeout(self._timeout):
                    return await self._ask(body)
        except NOT_ASKED_OR_FAILED as failure:
            raise ServiceUnavailable from failure

    async def _ask(self, body: bytes) -> bool:
        timestamp = str(int(self._clock().timestamp()))
        headers = {
            "content-type": "application/json",
            "x-leaderboard-timestamp": timestamp,
            "x-leaderboard-signature": f"v1={signature(self._secret, timestamp, body)}",
        }
        async with self._http.stream("POST", self._url, content=body, headers=headers) as response:
            if response.status_code != httpx2.codes.OK:
                raise NoAnswer(f"status {response.status_code}")
            return _completed(await _read(response))


def webhook(context: VerifierContext) -> WebhookVerifier:
    """The factory for the settings. Raises ValueError without VERIFIER_WEBHOOK_URL and VERIFIER_WEBHOOK_SECRET."""
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
    """What the header carries, for senders and receivers."""
    return hmac.new(secret, f"{timestamp}.".encode() + body, "sha256").hexdigest()


async def _read(response: httpx2.Response) -> bytes:
    answer = b""
    async for chunk in response.aiter_bytes():
        answer += chunk
        if len(answer) > LONGEST_ANSWER:
            raise NoAnswer("an answer of more than 4 KiB")
    return answer


def _completed(answer: bytes) -> bool:
    try:
        content = json.loads(answer)
    except (ValueError, RecursionError):
        raise NoAnswer("not JSON") from None
    completed = content.get("completed") if isinstance(content, dict) else None
    if not isinstance(completed, bool):
        raise NoAnswer("no `completed`")
    return completed
