"""Execute operations of the service without a server."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import orjson

from app.context import Context, Services
from app.domain.users import Caller
from app.execution import Engine, ExecutionCounts, RequestError, Response
from app.graphql import build_engine, build_schema
from app.wiring import App


class Asker:
    """A client that executes operations as `caller`, or anonymously."""

    def __init__(self, app: App, caller: Caller | None = None, *, compiled: bool = True) -> None:
        self._services = Services.of(app)
        self._caller = caller
        self._engine: Engine = build_engine(build_schema(), introspection=True, compile=compiled)

    @property
    def executions(self) -> ExecutionCounts:
        """How many operations were executed, by kind of executor."""
        return self._engine.executions

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Return the data of an operation, which must succeed."""
        data, errors = self._parts(await self._execute(query, variables))
        assert not errors, errors
        return data

    async def fails(self, query: str, **variables: Any) -> str:
        """Return the code of the only error of an operation, which must fail."""
        _, (error,) = self._parts(await self._execute(query, variables))
        code: str = error["extensions"]["code"]
        return code

    async def watch(self, query: str, **variables: Any) -> AsyncGenerator[dict[str, Any]]:
        """Yield the data of each message of a subscription.

        Raises:
            RequestError: The subscription is refused.
        """
        operation = self._engine.prepare(query)
        responses = await self._engine.subscribe(operation, variables, Context(self._services, self._caller))
        async with aclosing(responses):
            async for response in responses:
                data, errors = self._parts(response)
                assert not errors, errors
                yield data

    async def refused(self, query: str, **variables: Any) -> str:
        """Return the error code of a subscription, which must be refused."""
        operation = self._engine.prepare(query)
        try:
            async for _ in await self._engine.subscribe(operation, variables, Context(self._services, self._caller)):
                break
        except RequestError as refusal:
            _, (error,) = self._parts(Response.of(refusal))
            code: str = error["extensions"]["code"]
            return code
        raise AssertionError("the subscription was not refused")

    async def _execute(self, query: str, variables: dict[str, Any]) -> Response:
        context = Context(self._services, self._caller)
        try:
            return await self._engine.execute(self._engine.prepare(query), variables, context)
        except RequestError as refusal:
            return Response.of(refusal)

    def _parts(self, response: Response) -> tuple[dict[str, Any], list[Any]]:
        body = orjson.loads(self._engine.encode(response))
        return body.get("data"), body.get("errors", [])
