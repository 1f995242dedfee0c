"""Spans of OpenTelemetry. Without a tracer, and for an unsampled request, they cost nothing.

The tracer is found through the current task, so that stores need not be given one. `app.telemetry.open_telemetry`
implements it, and needs the optional packages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, Protocol

Attributes = Mapping[str, str | int | float | bool]

TRACEPARENT = b"traceparent"
"""The header with the caller's trace (W3C Trace Context)."""

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def trace_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return the id of the trace that a caller's request belongs to, None if it names none."""
    given = next((value for name, value in headers if name == TRACEPARENT), b"")
    match = _TRACEPARENT.match(given)
    return None if match is None or not match[1].strip(b"0") else match[1].decode()


class Span(Protocol):
    """Work that is measured."""

    @property
    def trace_id(self) -> str:
        """The id of the trace, as 32 hexadecimal digits."""

    def rename(self, name: str) -> None:
        """Give the span another name."""

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""

    def fail(self, kind: str, description: str = "") -> None:
        """Mark the work as failed.

        Args:
            kind: The kind of the error, as the attribute `error.type`.
            description: What is known of it; it must not contain what clients have sent.
        """


class Link(Protocol):
    """A reference to a span, from the span of work that many requests share."""

    @property
    def tracer(self) -> Tracer:
        """What has made the span."""


class Tracer(Protocol):
    """Makes spans."""

    def request(
        self, name: str, attributes: Attributes, headers: Iterable[tuple[bytes, bytes]] = ()
    ) -> AbstractContextManager[Span]:
        """Trace a request in the current task, as part of the trace that its `headers` name."""

    def span(self, name: str, attributes: Attributes, *, is_call: bool) -> AbstractContextManager[Span]:
        """Trace a part of the work of the current task. `is_call`: it is done by another server."""

    def start(self, name: str, attributes: Attributes) -> Any:
        """Start the span of a call of another server, and return it; pass it to `end`."""

    def end(self, started: Any, error: BaseException | None = None) -> None:
        """End a span that was started."""

    def link(self) -> Link | None:
        """Return a reference to the current span."""

    def batch(self, name: str, links: Sequence[Link], attributes: Attributes) -> AbstractContextManager[Span]:
        """Trace work that many requests share, as a trace of its own."""

    async def close(self) -> None:
        """Export what was not exported yet."""


class NoSpan:
    """The span of work that is not traced."""

    trace_id = ""

    def rename(self, name: str) -> None:
        """Do nothing."""

    def set(self, attributes: Attributes) -> None:
        """Do nothing."""

    def fail(self, kind: str, description: str = "") -> None:
        """Do nothing."""


_NO_SPAN = nullcontext(NoSpan())

_current: ContextVar[Tracer | None] = ContextVar("tracer", default=None)


@contextmanager
def traced_by(tracer: Tracer | None) -> Iterator[None]:
    """Let `span` use a tracer during the block."""
    token = _current.set(tracer)
    try:
        yield
    finally:
        _current.reset(token)


def current_tracer() -> Tracer | None:
    """Return the tracer of the current task if its work is traced."""
    return _current.get()


def leave_trace() -> None:
    """Trace nothing of what the current task does from now on."""
    _current.set(None)


def span(name: str, attributes: Attributes, *, is_call: bool = False) -> AbstractContextManager[Span | NoSpan]:
    """Trace the block, if the current task is traced.

    Args:
        name: The name, of which there must be few.
        attributes: By the semantic conventions of OpenTelemetry.
        is_call: Whether another server does the work.
    """
    tracer = _current.get()
    return _NO_SPAN if tracer is None else tracer.span(name, attributes, is_call=is_call)


def current_link() -> Link | None:
    """Return a reference to the current span for `batch_span`; None if the current task is not traced."""
    tracer = _current.get()
    return None if tracer is None else tracer.link()


def batch_span(
    name: str, links: Iterable[Link | None], attributes: Attributes
) -> AbstractContextManager[Span | NoSpan]:
    """Trace a block of work for many requests, if any of them is traced. `links` are those of the requests."""
    known = [link for link in links if link is not None]
    return _NO_SPAN if not known else known[0].tracer.batch(name, known, attributes)
