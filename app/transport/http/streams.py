"""Subscriptions over plain HTTP: server-sent events and multipart responses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Generic, NoReturn, TypeVar

from starlette.types import Receive, Send

from app.domain.counts_per_address import AddressCounts
from app.domain.errors import RateLimited, ServiceUnavailable, Unauthenticated
from app.execution import Engine, Operation
from app.pubsub.feed.view_budget import NO_OWNER, Owner
from app.transport.http.responses import error_body
from app.transport.http.stream_framing import Framing
from app.transport.multiplexing.iterator import MultiplexedStream
from app.transport.multiplexing.multiplexer import SubscriptionMultiplexer

ContextT = TypeVar("ContextT")

RETRY_SECONDS = 5
"""When a client whose stream was refused may try again."""

STREAM_HEADERS = (
    (b"cache-control", b"no-store"),
    (b"vary", b"Accept"),
    # nginx would buffer small writes otherwise.
    (b"x-accel-buffering", b"no"),
)


async def wait_forever(_: object) -> Unauthenticated:
    """Wait forever: the validity of a caller without expiry."""
    never: asyncio.Future[Unauthenticated] = asyncio.get_running_loop().create_future()
    return await never


def _no_owner(_: object) -> Owner:
    """Return the owner of every stream when owners are not told apart."""
    return NO_OWNER


class Streams(Generic[ContextT]):
    """Serves subscriptions, each as the body of one HTTP response.

    Operations that allow it join a shared execution, and then a slow reader gets the newest state only. A stream
    ends with its source, when the client leaves or stops reading for `stall_timeout` seconds, when the caller's access
    token is no longer good, and at once when `stop` is set: an open response would hold up the server's shutdown.
    """

    def __init__(
        self,
        engine: Engine,
        multiplexer: SubscriptionMultiplexer,
        stop: asyncio.Event,
        *,
        render_error: Callable[[Exception], Mapping[str, Any]],
        validity: Callable[[ContextT], Awaitable[Unauthenticated]] = wait_forever,
        owner_of: Callable[[ContextT], Owner] = _no_owner,
        max_streams: int = 1000,
        max_streams_per_address: int = 200,
        heartbeat_interval: float = 12.0,
        stall_timeout: float = 10.0,
    ) -> None:
        """Create the server of streams.

        Args:
            engine: Executes subscriptions whose results depend on the viewer.
            multiplexer: Executes all other subscriptions.
            stop: Ends all streams when it is set.
            render_error: Formats any exception for clients.
            validity: Waits until the caller's access token is no longer valid, and returns the error.
            owner_of: Returns whom the stream of a context is charged to.
            max_streams: How many streams may be open at a time.
            max_streams_per_address: How many streams one client address may have open at a time.
            heartbeat_interval: The most seconds without a message, for proxies that close quiet responses.
            stall_timeout: Seconds until a client that does not read is disconnected.
        """
        self._engine = engine
        self._multiplexer = multiplexer
        self._stop = stop
        self._render_error = render_error
        self._validity = validity
        self._owner_of = owner_of
        self._max_streams = max_streams
        self._addresses = AddressCounts(max_streams_per_address)
        self._heartbeat_interval = heartbeat_interval
        self._stall_timeout = stall_timeout
        self.open = 0
        """Streams being served."""
        self.refused = 0
        """Streams that were refused because there are too many."""

    async def serve(
        self,
        framing: Framing,
        operation: Operation,
        variables: Mapping[str, Any] | None,
        context: ContextT,
        receive: Receive,
        send: Send,
        *,
        on_open: Callable[[], object] = lambda: None,
    ) -> None:
        """Answer a request, whose body has been read, with a stream. Later failures are part of the stream.

        `on_open` is called when the stream is not refused.

        Raises:
            ServiceUnavailable: Before anything is sent: the server is stopping.
            RateLimited: Before anything is sent: there are too many streams. The instance is healthy, and a proxy must
                not take it for one that is not, so this is no failure of the service.
        """
        if self._stop.is_set():
            raise ServiceUnavailable(RETRY_SECONDS)
        address = self._owner_of(context).address
        if self.open >= self._max_streams:
            self._refuse("Too many streams are open.")
        if self._addresses.is_full(address):
            self._refuse("Too many streams are open from your address.")
        self.open += 1
        on_open()
        self._addresses.add(address)
        ending = asyncio.create_task(self._wait_for_ending(receive, context))
        try:
            async with aclosing(self._bodies(operation, variables, context)) as bodies:
                await self._write(framing, bodies, ending, send)
        except OSError:
            # Disconnected, or (TimeoutError) not reading: after an unfinished response the server closes the
            # connection.
            return
        finally:
            self.open -= 1
            self._addresses.remove(address)
            await _cancel_and_wait(ending)

    def _refuse(self, reason: str) -> NoReturn:
        self.refused += 1
        raise RateLimited(RETRY_SECONDS, reason)

    async def _write(
        self,
        framing: Framing,
        bodies: AsyncGenerator[bytes, None],
        ending: asyncio.Task[Unauthenticated | None],
        send: Send,
    ) -> None:
        headers = [(b"content-type", framing.content_type), *STREAM_HEADERS]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send_chunk(send, framing.opening)
        step: asyncio.Future[bytes] | None = None
        try:
            while True:
                step = step or asyncio.ensure_future(anext(bodies))
                await asyncio.wait((step, ending), timeout=self._heartbeat_interval, return_when="FIRST_COMPLETED")
                if ending.done():
                    last = self._final_chunk(framing, ending.result())
                    break
                if not step.done():
                    await self._send_chunk(send, framing.heartbeat)
                    continue
                try:
                    body = step.result()
                except StopAsyncIteration:
                    last = framing.closing
                    break
                step = None
                await self._send_chunk(send, framing.result(body))
            await self._send_chunk(send, last, more=False)
        finally:
            # A generator cannot be closed while a step of it runs.
            if step is not None:
                await _cancel_and_wait(step)

    def _final_chunk(self, framing: Framing, ending: Unauthenticated | None) -> bytes:
        if ending is None:
            return framing.interruption
        return framing.result(error_body(self._render_error(ending))) + framing.closing

    async def _send_chunk(self, send: Send, chunk: bytes, *, more: bool = True) -> None:
        async with asyncio.timeout(self._stall_timeout):
            await send({"type": "http.response.body", "body": chunk, "more_body": more})

    async def _wait_for_ending(self, receive: Receive, context: ContextT) -> Unauthenticated | None:
        """Wait until the stream must end before its source does, and return the error to end with, if any."""
        disconnected = asyncio.create_task(_disconnect(receive))
        stopped = asyncio.create_task(self._stop.wait())
        invalid = asyncio.ensure_future(self._validity(context))
        try:
            await asyncio.wait({disconnected, stopped, invalid}, return_when="FIRST_COMPLETED")
            return None if disconnected.done() or stopped.done() else invalid.result()
        finally:
            for waiting in (disconnected, stopped, invalid):
                await _cancel_and_wait(waiting)

    async def _bodies(
        self, operation: Operation, variables: Mapping[str, Any] | None, context: ContextT
    ) -> AsyncGenerator[bytes, None]:
        """Yield encoded results. A failure is the last one of them."""
        try:
            if operation.shared:
                async with aclosing(
                    MultiplexedStream(self._multiplexer, operation, variables, self._owner_of(context))
                ) as bodies:
                    async for body in bodies:
                        yield body
            else:
                async with aclosing(await self._engine.subscribe(operation, variables, context)) as responses:
                    async for response in responses:
                        yield self._engine.encode(response)
                        self._multiplexer.observe_lag(response)
        except Exception as error:
            yield self._multiplexer.encode_failure(error)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _cancel_and_wait(future: asyncio.Future[Any]) -> None:
    future.cancel()
    await asyncio.wait({future})
    if not future.cancelled():
        future.exception()
