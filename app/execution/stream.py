"""The responses of a subscription, one per event of its source."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from types import TracebackType
from typing import Any

from graphql import GraphQLError, located_error

from app.execution.documents.operation import Operation
from app.execution.request_error import RequestError
from app.execution.response import Response


class ResponseStream(AsyncGenerator[Response, None]):
    """Executes the operation once per event.

    - A source that fails before its first event raises Refusal from the first step: the subscription
      never came to be.
    - One that fails later yields one response with the error and no data, and then ends.
    - `aclose` closes the source, even before the first step.

    A generator function would not do: closed before its first step it runs none of its code, and the source would stay
    open.
    """

    def __init__(
        self,
        operation: Operation,
        source: AsyncIterable[Any],
        execute: Callable[[Any], Awaitable[Response]],
    ) -> None:
        self._operation = operation
        self._source = source
        self._events = aiter(source)
        self._execute = execute
        self._started = False
        self._ended = False

    async def asend(self, _: None) -> Response:
        """Return the response to the next event. Raises StopAsyncIteration at the end of the source."""
        if self._ended:
            raise StopAsyncIteration
        try:
            event = await anext(self._events)
        except StopAsyncIteration:
            self._ended = True
            raise
        except Exception as error:
            await self.aclose()
            located = self._located(error)
            if not self._started:
                raise RequestError((located,)) from error
            return Response(None, [located], has_data=False)
        except BaseException:
            await self.aclose()
            raise
        self._started = True
        response = await self._execute(event)
        response.event = event
        return response

    async def aclose(self) -> None:
        """Close the source and end the stream. May be repeated."""
        self._ended = True
        for closable in (self._events, self._source):
            close = getattr(closable, "aclose", None)
            if close is not None:
                await close()

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> Response:
        """Close the source, then raise the exception."""
        await self.aclose()
        raise typ

    def _located(self, error: Exception) -> GraphQLError:
        # Validation allows a subscription one root field, without @skip or @include.
        node = self._operation.root_nodes[0]
        return located_error(error, [node], [(node.alias or node.name).value])
