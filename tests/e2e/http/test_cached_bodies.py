"""The cache of request bodies, which keeps documents alive, has a limit in bytes."""

import orjson

from app.transport.http.endpoint import MAX_CACHED_BODY_BYTES
from app.transport.http.negotiation import DEFAULT_ACCEPTED
from tests.support.graphql.sample_schema import SampleContext
from tests.support.graphql.sample_server import SampleApp

PADDING = " " * 50_000


async def answer(sample: SampleApp, query: str, variables: object = None) -> None:
    body = orjson.dumps({"query": query, "variables": variables})
    reply = await sample.endpoint.answer(body, DEFAULT_ACCEPTED, SampleContext(sample.counter))
    assert b'"data"' in reply.body


async def test_bodies_are_weighed_with_the_documents_that_they_keep_alive():
    sample = SampleApp()
    cached = sample.endpoint.operation_of_body
    for number in range(12):
        await answer(sample, f"{{a{number}:__typename{PADDING}}}")
    assert 0 < cached.weight <= MAX_CACHED_BODY_BYTES
    assert len(cached) < 12


async def test_a_document_is_weighed_once_however_many_bodies_use_it():
    sample = SampleApp()
    cached = sample.endpoint.operation_of_body
    query = f"query($yes:Boolean!){{a:__typename b:__typename@include(if:$yes){PADDING}}}"
    await answer(sample, query, {"yes": True})
    once = cached.weight
    for number in range(12):
        await answer(sample, query, {"yes": True, "unused": number})
    assert len(cached) == 13
    assert cached.weight < 2 * once
