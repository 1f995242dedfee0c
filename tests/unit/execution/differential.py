"""One request through both executors: graphql-core is the reference."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from graphql import OperationType

from app.execution import Engine, RequestError, Response
from tests.support.wait_until import TIMEOUT
from tests.unit.execution.library import Context, schema


@dataclass
class Outcome:
    """All that can be seen of one execution."""

    bodies: list[bytes]
    calls: list[str]
    opened: int
    closed: int


class Pair:
    """The compiling engine and the interpreting one."""

    def __init__(self) -> None:
        self.compiling = Engine(schema)
        self.reference = Engine(schema, compile=False)

    async def agree(
        self, query: str, variables: dict[str, Any] | None = None, *, name: str | None = None, viewer: str = "ada"
    ) -> list[bytes]:
        """Assert equal bytes and equal calls of resolvers, twice; the bodies they agreed on."""
        expected = await outcome(self.reference, query, variables, name, viewer)
        for _ in range(3):  # an operation is compiled when it comes again
            assert await outcome(self.compiling, query, variables, name, viewer) == expected
        return expected.bodies


async def outcome(
    engine: Engine, query: str, variables: dict[str, Any] | None, name: str | None, viewer: str
) -> Outcome:
    context = Context(viewer)
    bodies: list[bytes] = []
    async with asyncio.timeout(TIMEOUT):
        try:
            operation = engine.prepare(query, name)
            if operation.kind is OperationType.SUBSCRIPTION:
                stream = await engine.subscribe(operation, variables, context)
                try:
                    async for response in stream:
                        bodies.append(engine.encode(response))
                        if len(bodies) == 30:
                            break
                finally:
                    await stream.aclose()
            else:
                bodies.append(engine.encode(await engine.execute(operation, variables, context)))
        except RequestError as refusal:
            bodies.append(engine.encode(Response.of(refusal)))
    return Outcome(bodies, context.calls, context.opened, context.closed)
