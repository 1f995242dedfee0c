"""The rate limits that the settings ask for."""

from __future__ import annotations

from app.config import Settings
from app.domain.rate_limits import MINUTE, Activity, BlockingRule, Limit, Limits
from app.services.limits.running_operations import RunningLimits


def rate_limits_of(settings: Settings) -> Limits | None:
    """Return the rate limits of an installation; None if they are switched off."""
    if not settings.rate_limit_enabled:
        return None
    issue, submit, query = "action tokens", "submissions", "queries"
    return Limits(
        user={
            Activity.ISSUE: Limit("user-issue", issue, settings.rate_limit_issue_per_user, MINUTE),
            Activity.SUBMIT: Limit("user-submit", submit, settings.rate_limit_submit_per_user, MINUTE),
            Activity.QUERY: Limit("user-query", query, settings.rate_limit_query_per_user, MINUTE),
        },
        address={
            Activity.ISSUE: Limit("address-issue", issue, settings.rate_limit_issue_per_address, MINUTE),
            Activity.SUBMIT: Limit("address-submit", submit, settings.rate_limit_submit_per_address, MINUTE),
            Activity.QUERY: Limit("address-query", query, settings.rate_limit_query_per_address, MINUTE),
        },
        anonymous=Limit("anonymous", "anonymous requests", settings.rate_limit_anonymous_per_address, MINUTE),
        service_wide=Limit("everybody", "requests of all clients together", settings.rate_limit_global_per_second, 1),
        blocking=BlockingRule(settings.rate_limit_block_overruns, MINUTE, settings.rate_limit_block_seconds),
        aggregate_factor=settings.rate_limit_network_factor,
        connections=Limit("connections", "connections", settings.rate_limit_connections_per_address, MINUTE),
    )


def running_limits_of(settings: Settings) -> RunningLimits | None:
    """Return how many operations may run at a time; None if limits are switched off."""
    if not settings.rate_limit_enabled:
        return None
    return RunningLimits(
        per_user=settings.max_running_operations_per_user,
        per_address=settings.max_running_operations_per_address,
        in_all=settings.max_running_operations,
        aggregate_factor=settings.rate_limit_network_factor,
    )
