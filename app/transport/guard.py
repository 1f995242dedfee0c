"""The guard: what is asked before any operation is executed, over any transport."""

from __future__ import annotations

from graphql import OperationType

from app.context import Context
from app.execution import Operation


class Guard:
    """Lets an operation pass, or raises a domain error."""

    def __init__(self, *, anonymous_subscriptions: bool) -> None:
        self._anonymous_subscriptions = anonymous_subscriptions

    async def __call__(self, context: Context, operation: Operation | None) -> None:
        """`operation` is None for a document that was refused, which cost time too.

        Raises Unauthenticated for an anonymous subscription where those are not allowed.
        """
        if operation is None:
            return
        if operation.kind is OperationType.SUBSCRIPTION and not self._anonymous_subscriptions:
            context.require_caller()
