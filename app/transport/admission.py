"""Admission: the checks before any operation is executed, over any transport."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial

from graphql import OperationType

from app.context import Context
from app.domain.rate_limits import Activity
from app.execution import Operation
from app.services.limits.rate_limiter import RateLimiter

REFUSED_DOCUMENT: Mapping[Activity, int] = {Activity.QUERY: 1}


class Admission:
    """Admits an operation, or raises a domain error."""

    def __init__(
        self, limiter: RateLimiter, activities: Mapping[str, Activity], *, anonymous_subscriptions: bool
    ) -> None:
        """Initialise the admission control.

        Args:
            limiter: Counts the fields of each request.
            activities: The activity that each root field counts as; fields that are not listed count as queries.
            anonymous_subscriptions: Whether a subscription needs no access token.
        """
        self._limiter = limiter
        self._costs_of = lru_cache(maxsize=1024)(partial(costs_of, activities))
        self._anonymous_subscriptions = anonymous_subscriptions

    async def __call__(self, context: Context, operation: Operation | None) -> None:
        """Count an operation against the rate limits.

        Args:
            context: The context of the operation.
            operation: None for a document that was refused, which cost time too.

        Raises:
            RateLimited: A limit is exceeded.
            BadUserInput: The operation has more fields than any limit allows at once.
            Unauthenticated: Anonymous subscriptions are not allowed.
        """
        costs = REFUSED_DOCUMENT if operation is None else self._costs_of(operation.root_fields)
        await self._limiter.charge(context.caller, context.address, costs)
        if operation is None:
            return
        if operation.kind is OperationType.SUBSCRIPTION and not self._anonymous_subscriptions:
            context.require_caller()


def costs_of(activities: Mapping[str, Activity], root_fields: tuple[str, ...]) -> Mapping[Activity, int]:
    """Count the fields per activity. Every response key counts, so that aliases do not multiply what a limit allows."""
    costs: dict[Activity, int] = {}
    for name in root_fields:
        activity = activities.get(name, Activity.QUERY)
        costs[activity] = costs.get(activity, 0) + 1
    return costs or REFUSED_DOCUMENT
