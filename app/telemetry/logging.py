"""Logs: one JSON object per line in production, short coloured lines in development."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict

from app.telemetry.redaction import Redaction
from app.telemetry.requests import current_request
from app.telemetry.service import SERVICE, instance, version

NOISY_LOGGERS = ("uvicorn.access", "httpx2", "httpcore2", "websockets", "alembic")
"""Loggers of libraries of which only warnings are logged."""

Report = Callable[[str, str, EventDict], None]
"""Reports an error elsewhere: it gets the name of the logger, the level and the event."""


def configure_logging(
    level: str, *, json: bool, secrets: Collection[str] = (), report_error: Report | None = None
) -> None:
    """Send all log records, including those of the standard library's loggers, to standard error in one format.

    Args:
        level: The lowest level that is logged, such as `INFO`.
        json: Whether to write JSON instead of coloured text.
        secrets: Texts that must not appear in any line.
        report_error: Is called with every error of the service's own loggers.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    redaction = Redaction(secrets)
    render = _json_renderer(redaction) if json else _text_renderer(redaction)
    envelope = _envelope() if json else _short_envelope
    reporting = [] if report_error is None else [_Reporting(report_error)]

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[envelope],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)
    for noisy in NOISY_LOGGERS:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    uvicorn = logging.getLogger("uvicorn.error")
    uvicorn.filters = [_is_about_the_server]
    structlog.configure(
        processors=[envelope, *reporting, *render],
        logger_factory=_LineLogger,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        cache_logger_on_first_use=json,  # A cached logger keeps its configuration for ever.
    )


def _is_about_the_server(record: logging.LogRecord) -> bool:
    """Leave out uvicorn's lines about single sockets: the service has its own."""
    return record.levelno > logging.INFO or not ("WebSocket" in str(record.msg) or str(record.msg).startswith("conn"))


class _LineLogger:
    """Writes rendered lines to standard error, past the loggers of the standard library, which take twice as long."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        """Write a line. A reader of the log that has gone must not stop the service."""
        with suppress(OSError, ValueError):
            sys.stderr.write(line + "\n")  # Standard error is flushed after each line.

    debug = info = warning = warn = error = critical = exception = fatal = failure = log = msg


class _Reporting:
    """A processor that reports errors elsewhere and changes nothing."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def __call__(self, logger: Any, method: str, event: EventDict) -> EventDict:
        """Report an event of the level ERROR or higher."""
        if event.get("level") in ("error", "critical"):
            self._report(str(event.get("logger", "")), str(event["level"]), event)
        return event


def _envelope() -> Callable[[Any, str, EventDict], EventDict]:
    """Return the processor that puts the fields in front that every line of JSON has."""
    own_version = version()

    def add_fields(logger: Any, method: str, event: EventDict) -> EventDict:
        request = current_request.get()
        return {
            "timestamp": _now(),
            "level": _LEVELS.get(method, method),
            "event": event.get("event"),
            "service": SERVICE,
            "version": own_version,
            "instance": instance(),  # A worker has the configuration of its parent until it sets its own.
            "logger": _name_of(logger, event),
            "request_id": None if request is None else request.request_id,
            "trace_id": None if request is None else request.trace_id,
            "user": None if request is None or request.user is None else str(request.user),
            **event,
        }

    return add_fields


def _short_envelope(logger: Any, method: str, event: EventDict) -> EventDict:
    """Add what a person needs who reads the lines of one process."""
    request = current_request.get()
    event["timestamp"] = _now()
    event["level"] = _LEVELS.get(method, method)
    event["logger"] = _name_of(logger, event)
    if request is not None:
        event.setdefault("request_id", request.request_id)
    return event


_LEVELS = {"warn": "warning", "exception": "error", "fatal": "critical", "failure": "error"}
"""The levels of methods of a logger that have other names."""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _name_of(logger: Any, event: EventDict) -> str:
    record = event.get("_record")
    return str(getattr(logger, "name", "")) if record is None else str(record.name)


def _json_renderer(redaction: Redaction) -> list[structlog.typing.Processor]:
    # Values of variables are left out: they contain tokens, addresses and names.
    exceptions = structlog.processors.ExceptionRenderer(
        structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    )

    def render(logger: Any, method: str, event: EventDict) -> str:
        text = orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        return redaction.apply(text)

    return [exceptions, render]


def _text_renderer(redaction: Redaction) -> list[structlog.typing.Processor]:
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )

    def render(logger: Any, method: str, event: EventDict) -> str:
        return redaction.apply(str(console(logger, method, event)))

    return [render]
