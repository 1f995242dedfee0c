"""Admission: the checks before any operation is executed, over any transport."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import lru_cache, partial
from typing import NamedTuple

from graphql import GraphQLError, OperationType

from app.context import Context
from app.domain.rate_limits import Activity
from app.error_codes import ErrorCode
from app.execution import BoundOperation, RequestError
from app.services.limits.rate_limiter import RateLimiter
from app.services.limits.running_operations import RunningOperations

LOOKUPS_PER_UNIT = 20
"""The look-ups that one unit of weight pays for. Every root field weighs at least one unit."""

STORED_DOCUMENT = 4
"""The weight of storing a persisted document, in addition to that of its operation."""

REFUSED_DOCUMENT: Mapping[Activity, int] = {Activity.QUERY: 1}


class LookupLimits(NamedTuple):
    """How many look-ups one operation may make.

    Attributes:
        once: Of a query or a mutation.
        per_change: Of a subscription, which makes them again with every change.
    """

    once: int
    per_change: int


class Admission:
    """Admits an operation, or raises a domain error."""

    def __init__(
        self,
        limiter: RateLimiter,
        activities: Mapping[str, Activity],
        lookup_limits: LookupLimits,
        *,
        anonymous_subscriptions: bool,
    ) -> None:
        """Initialise the admission control.

        Args:
            limiter: Counts the weight of each request.
            activities: The activity that each root field counts as; fields that are not listed count as queries.
            lookup_limits: How many look-ups one operation may make.
            anonymous_subscriptions: Whether a subscription needs no access token.
        """
        self._limiter = limiter
        self.costs_of = lru_cache(maxsize=1024)(partial(costs_of, activities))
        self._lookup_limits = lookup_limits
        self._anonymous_subscriptions = anonymous_subscriptions

    async def __call__(self, context: Context, bound: BoundOperation | None, *, stores_document: bool = False) -> None:
        """Count an operation against the rate limits.

        Args:
            context: The context of the operation.
            bound: None for a document that was refused, which cost time too.
            stores_document: Whether the document is going to be stored under its hash.

        Raises:
            RateLimited: A limit is exceeded.
            BadUserInput: The operation weighs more than any limit allows at once.
            RequestError: The operation makes too many look-ups (QUERY_TOO_COMPLEX); it is counted like a refused
                document.
            Unauthenticated: Anonymous subscriptions are not allowed.
        """
        if bound is None:
            await self._limiter.charge(context.caller, context.address, REFUSED_DOCUMENT)
            return
        is_subscription = bound.operation.kind is OperationType.SUBSCRIPTION
        max_lookups = self._lookup_limits.per_change if is_subscription else self._lookup_limits.once
        lookups = sum(count for _, count in bound.lookups)
        if lookups > max_lookups:
            await self._limiter.charge(context.caller, context.address, REFUSED_DOCUMENT)
            raise _too_many_lookups(bound, max_lookups)
        costs = self.costs_of(bound.lookups)
        if stores_document:
            costs = {**costs, Activity.QUERY: costs.get(Activity.QUERY, 0) + STORED_DOCUMENT}
        await self._limiter.charge(context.caller, context.address, costs)
        if is_subscription and not self._anonymous_subscriptions:
            context.require_caller()

    def describe(self, bound: BoundOperation) -> Mapping[str, object]:
        """Return what an operation is charged, for developers."""
        weight = sum(self.costs_of(bound.lookups).values())
        return {"cost": {"weight": weight, "lookups": sum(count for _, count in bound.lookups)}}


class RunningSlots:
    """Bounds how many operations of a caller, of an address and in all run at a time."""

    def __init__(self, running: RunningOperations) -> None:
        """Wrap the counter of running operations."""
        self._running = running
        self.end = running.end

    def start(self, context: Context) -> tuple[Hashable, ...]:
        """Count an operation that starts. Raises RateLimited."""
        return self._running.start(context.caller, context.address)


def costs_of(activities: Mapping[str, Activity], lookups: tuple[tuple[str, int], ...]) -> Mapping[Activity, int]:
    """Return the weight per activity. Every response key counts, so that aliases do not multiply what a limit allows.

    Args:
        activities: The activity that each root field counts as; fields that are not listed count as queries.
        lookups: The name and the look-ups of each root field.
    """
    costs: dict[Activity, int] = {}
    for name, count in lookups:
        activity = activities.get(name, Activity.QUERY)
        costs[activity] = costs.get(activity, 0) + max(1, -(-count // LOOKUPS_PER_UNIT))
    return costs or REFUSED_DOCUMENT


def _too_many_lookups(bound: BoundOperation, max_lookups: int) -> RequestError:
    what = "with every change" if bound.operation.kind is OperationType.SUBSCRIPTION else "in all"
    reason = f"The operation asks for too much: it must make at most {max_lookups} look-ups {what}. Ask for less."
    return RequestError.from_error(GraphQLError(reason), ErrorCode.QUERY_TOO_COMPLEX)
