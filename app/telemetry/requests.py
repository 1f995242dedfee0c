"""What log lines say of the request that they belong to, and the lines about requests that were refused."""

from __future__ import annotations

import re
from collections.abc import Collection
from contextvars import ContextVar
from dataclasses import dataclass

import structlog

from app.runtime import Runtime
from app.telemetry.bounded_log import BoundedLog
from app.telemetry.tracing import leave_trace

log = structlog.get_logger(__name__)

MAX_LINES = 20
"""Lines of each code within an interval; an attack of any size writes no more."""

MAX_REASON = 300
"""Characters of a reason that are logged."""

# A refused value of a variable may be anything, such as a password that was sent in the wrong place.
_GIVEN_VALUE = re.compile(
    r"""\b(value:?|found) ("(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?|[\[{].*[\]}]|[^\s;]+)""", re.DOTALL
)


class RefusalLog:
    """Logs refusals: a bounded number of lines for each code, and how many were left out."""

    def __init__(self, runtime: Runtime, security_events: Collection[str]) -> None:
        """Create a log.

        Args:
            runtime: The source of time.
            security_events: The codes that may be part of an attack. They are logged as warnings.
        """
        self._security_events = frozenset(security_events)
        self._bounds = BoundedLog(log, runtime, max_lines=MAX_LINES)

    def add(self, code: str, reason: str, *, event: str = "request_refused", **facts: object) -> None:
        """Log one refusal.

        Args:
            code: The code that the client gets.
            reason: Why it was refused.
            event: What was refused.
            facts: What else is known; facts that are None or empty are left out.
        """
        if not self._bounds.permits(event, f"{event} {code}"):
            return
        is_security_event = code in self._security_events
        write = log.warning if is_security_event else log.info
        known = {name: fact for name, fact in facts.items() if fact}
        text = _GIVEN_VALUE.sub(r"\1 …", reason[: 2 * MAX_REASON])[:MAX_REASON]
        write(event, code=code, reason=text, security=is_security_event, **known)


@dataclass(slots=True)
class RequestFacts:
    """What is known of a request so far.

    Attributes:
        request_id: The id of the request, from the client or made here.
        refusals: Where its refusal is logged.
        trace_id: The id of its trace, if it has one.
        user: The id of the authenticated user.
        address: The client's network address.
    """

    request_id: str
    refusals: RefusalLog | None = None
    trace_id: str | None = None
    user: object = None
    address: str = ""


current_request: ContextVar[RequestFacts | None] = ContextVar("current_request", default=None)
"""The request that the current task serves. Its log lines name it."""


def log_refusal(code: str, reason: str, cause: BaseException | None = None) -> None:
    """Log that the current request, or one of its fields, was refused. Without a request nothing is logged.

    Args:
        code: The code that the client gets.
        reason: Why it was refused.
        cause: The error behind it, which the client is not told.
    """
    request = current_request.get()
    if request is not None and request.refusals is not None:
        facts = {"cause": f"{type(cause).__name__}: {cause}"[:MAX_REASON]} if cause is not None else {}
        request.refusals.add(code, reason, address=request.address, **facts)


def leave_request() -> None:
    """Let the current task serve no single request: it was started by one, and works for many."""
    current_request.set(None)
    leave_trace()
