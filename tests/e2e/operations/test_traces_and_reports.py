"""Traces reach a collector, and errors reach Sentry, as these would receive them."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest
import sentry_sdk
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from app.config import Settings
from app.telemetry.logging import configure_logging
from app.telemetry.redaction import Redaction
from app.telemetry.reporting import ErrorReports, flush_reports
from app.telemetry.requests import RequestFacts, current_request
from tests.support.service import BOARD, serving, settings_for
from tests.support.stores import BreakableServer
from tests.support.wait_until import TIMEOUT
from tests.support.webhook import Webhook, running_webhook

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


def spans_of(collector: Webhook) -> list[Span]:
    """The spans that a collector has received."""
    exports = [ExportTraceServiceRequest.FromString(_unpacked(headers, body)) for headers, body in collector.asked]
    scopes = [scope for export in exports for resource in export.resource_spans for scope in resource.scope_spans]
    return [span for scope in scopes for span in scope.spans]


def _unpacked(headers: dict[str, str], body: bytes) -> bytes:
    return gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body


def _attributes(span: Span) -> dict[str, Any]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


async def test_a_trace_continues_that_of_the_caller_down_to_the_stores(settings: Settings):
    async with running_webhook() as collector:
        collector.body = b""
        endpoint = collector.url.removesuffix("/completed")
        async with serving(settings.model_copy(update={"otel_exporter_otlp_endpoint": endpoint})) as service:
            player = service.player("ada")
            token = await player.issue()
            player.headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
            assert (await player.submit(token))["__typename"] == "ScoreAccepted"
            player.headers = {}
            for _ in range(3):
                await player.ask(BOARD)
            assert "leaderboard_request_head_cache_hits_total 0" not in (await service.http.get("/metrics")).text
        spans = spans_of(collector)
    ours = [span for span in spans if span.trace_id.hex() == TRACE]
    (server,) = [span for span in ours if span.kind == Span.SPAN_KIND_SERVER]
    assert (server.name, server.parent_span_id.hex()) == ("POST /graphql", PARENT)
    assert _attributes(server)["http.response.status_code"] == 200
    (operation,) = [span for span in ours if span.name == "mutation"]
    assert _attributes(operation) == {"graphql.operation.type": "mutation", "graphql.operation.name": "Submit"}
    assert operation.parent_span_id == server.span_id
    # Many submissions share a commit, so it is a trace of its own with links to theirs.
    (commit,) = [span for span in spans if span.name == "ledger commit"]
    assert commit.trace_id.hex() != TRACE
    assert [link.trace_id.hex() for link in commit.links] == [TRACE]
    statements = [_attributes(span).get("db.query.text", "") for span in spans if span.parent_span_id == commit.span_id]
    assert [text for text in statements if "INSERT INTO" in text]
    systems = {_attributes(span).get("db.system.name") for span in spans}
    assert {"postgresql", "redis"} <= systems
    assert not [span for span in spans if span.status.code == Status.STATUS_CODE_ERROR]
    assert len([span for span in spans if span.kind == Span.SPAN_KIND_SERVER]) == 5
    assert token not in str(spans)


@pytest.fixture
def _no_client_afterwards() -> Any:
    yield
    sentry_sdk.get_client().close(timeout=0)
    sentry_sdk.get_global_scope().set_client(None)


@pytest.mark.usefixtures("_no_client_afterwards")
async def test_a_report_has_the_exception_its_stack_the_release_and_the_user_and_no_secrets():
    secret = "s" * 40
    async with running_webhook() as sentry:
        dsn = sentry.url.replace("://", "://0123456789abcdef@").replace("/completed", "/1")
        redaction = Redaction([secret])
        reports = ErrorReports(dsn, "development", redaction)
        configure_logging("INFO", json=True, secrets=[secret], report_error=reports)
        structlog.configure(cache_logger_on_first_use=False)
        log = structlog.get_logger("app.graphql")
        current_request.set(RequestFacts("request-1", user="6f1c3a58-0000-4000-8000-000000000001"))
        for number in range(2):
            try:
                _divide(number, 0, secret)
            except ZeroDivisionError as error:
                log.error("unexpected_error", error_id=f"id-{number}", exc_info=error)
        log.error("board_differs", board=f"postgresql://user:{secret}@db")
        await asyncio.to_thread(flush_reports)
        await asyncio.wait_for(sentry.received.wait(), TIMEOUT)
        events = [event for headers, body in sentry.asked for event in _events(_unpacked(headers, body))]
    assert secret not in json.dumps(events)
    first, second, other = events
    (exception,) = first["exception"]["values"]
    assert exception["type"] == "ZeroDivisionError"
    assert exception["stacktrace"]["frames"][-1]["function"] == "_divide"
    assert "vars" not in exception["stacktrace"]["frames"][-1]
    assert first["release"].startswith("leaderboard@")
    assert first["environment"] == "development"
    assert first["user"]["id"] == "6f1c3a58-0000-4000-8000-000000000001"
    assert first["tags"]["error_id"] == "id-0"
    assert first["tags"]["request_id"] == "request-1"
    # Grouped by the place: nothing that Sentry compares differs.
    for event in (first, second):
        assert "fingerprint" not in event
    assert second["exception"]["values"][0]["stacktrace"] == exception["stacktrace"]
    assert other["fingerprint"] == ["app.graphql", "board_differs"]


def _divide(one: int, other: int, secret: str) -> float:
    assert secret
    return one / other


def _events(envelope: bytes) -> list[dict[str, Any]]:
    """The events in an envelope: each item is a header in JSON and its payload, each on a line."""
    lines = [json.loads(line) for line in envelope.splitlines() if line.startswith(b"{")]
    return [line for line in lines if "event_id" in line and "platform" in line]


async def test_a_call_that_fails_is_an_error_in_the_trace_and_a_refusal_is_none(
    database_url: str, redis_server: BreakableServer
):
    async with running_webhook() as collector:
        collector.body = b""
        endpoint = collector.url.removesuffix("/completed")
        settings = settings_for(database_url, redis_server.url, otel_exporter_otlp_endpoint=endpoint)
        async with serving(settings) as service:
            player = service.player("ada")
            assert (await player.submit("forged"))["__typename"] == "InvalidActionToken"
            redis_server.kill()
            await player.ask("query Standings { leaderboard { standings(first: 5) { edges { node { rank } } } } }")
        spans = spans_of(collector)
    failed = [span for span in spans if span.status.code == Status.STATUS_CODE_ERROR]
    assert {_attributes(span).get("db.system.name") for span in failed} == {"redis"}
    assert all(_attributes(span)["error.type"] for span in failed)
    assert {span.name for span in spans} >= {"mutation", "query"}
