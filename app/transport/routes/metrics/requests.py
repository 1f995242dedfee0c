"""Metrics of requests: operations, limits, identities and caches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from app.telemetry.metrics.registry import Labels, Metric, counter, gauge, histogram
from app.transport.routes.metrics.sources import Sources


class Cache(Protocol):
    """A cache that counts how often it was asked."""

    @property
    def hits(self) -> int:
        """How often it had the answer."""

    @property
    def misses(self) -> int:
        """How often it had not."""


def request_metrics(sources: Sources) -> Sequence[Metric]:
    """Return the metrics of requests."""
    app, operations, engine = sources.app, sources.operations, sources.engine
    caches = _caches(sources)
    return [
        counter(
            "operations",
            "GraphQL operations that ended; subscriptions when they begin. `operation` is the name of a trusted "
            "document, else `other`; `field` is the root field, or `several`; `outcome` is `ok`, `refused` for what "
            "the caller has to change or to wait for, or `failed` for a fault of the service.",
            operations.counts,
            "operation",
            "field",
            "type",
            "outcome",
            "code",
        ),
        histogram(
            "operation_duration_seconds",
            "Time from a request, once its body has arrived, to its reply, for queries and mutations not over a "
            "rate limit.",
            lambda: {labels: series.seconds for labels, series in operations.series.items() if series.seconds.count},
            "operation",
            "field",
            "type",
        ),
        gauge("operations_running", "Queries and mutations that are running.", lambda: app.running_operations.total),
        gauge(
            "refusals_waiting",
            "Refusals of callers who are blocked or over the limit of refused requests, which wait to be answered.",
            lambda: app.refusal_delay.waiting,
        ),
        counter(
            "executions",
            "Executions by executor, including those of subscription events.",
            lambda: {
                ("compiled",): engine.executions.compiled,
                ("interpreted",): engine.executions.interpreted,
            },
            "executor",
        ),
        counter(
            "limit_refusals",
            "What was refused because of a limit: a rate limit by its name, a block, or a maximum of what may be open "
            "or running at a time.",
            lambda: _limit_refusals(sources),
            "limit",
        ),
        counter(
            "access_token_checks",
            "Access tokens and API keys that were checked, by result. A request whose head is cached checks none.",
            lambda: {
                ("access_token", "accepted"): _accepted_tokens(sources),
                ("access_token", "refused"): app.access_tokens.refused.total(),
                ("api_key", "accepted"): app.api_keys.accepted,
                ("api_key", "refused"): app.api_keys.refused,
            },
            "credential",
            "result",
        ),
        counter(
            "access_tokens_refused",
            "Access tokens that were refused, by the check that failed first.",
            lambda: _labelled(app.access_tokens.refused),
            "check",
        ),
        counter(
            "cache_requests",
            "Look-ups in a cache of this process, by result: `hit` or `miss`.",
            lambda: {
                (name, result): number
                for name, cache in caches.items()
                for result, number in (("hit", cache.hits), ("miss", cache.misses))
            },
            "cache",
            "result",
        ),
    ]


def _caches(sources: Sources) -> Mapping[str, Cache]:
    app = sources.app
    caches: dict[str, Cache] = {
        "accounts": app.account_cache,
        "access_tokens": app.access_tokens,
        "users": app.users,
        "profiles": app.profiles,
        "entry_metadata": app.entry_metadata,
        "past_answers": app.past_answers,
        "board_heads": app.board_queries,
        "request_heads": sources.request_head_cache,
        "request_bodies": sources.http.operation_of_body,
        **sources.engine.caches,
    }
    if sources.response_cache is not None:
        caches["responses"] = sources.response_cache
    return caches


def _limit_refusals(sources: Sources) -> Mapping[Labels, float]:
    app = sources.app
    return {
        **_labelled(app.rate_limiter.refused),
        ("refused_requests",): app.refusals.refused,
        ("running_operations",): app.running_operations.refused,
        ("board_views",): app.hub.budget.refused,
        ("sockets",): sources.connections.refused,
        ("streams",): sources.streams.refused,
        **{(f"{name}_reads",): bulkhead.refused for name, bulkhead in app.bulkheads.items()},
    }


def _accepted_tokens(sources: Sources) -> int:
    tokens = sources.app.access_tokens
    return tokens.hits + tokens.misses - tokens.refused.total()


def _labelled(counts: Mapping[str, int]) -> dict[Labels, float]:
    return {(name,): count for name, count in counts.items()}
