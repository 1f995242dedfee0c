"""The real schema against documents: what scanners look for, what fuzzers find, and what costs most."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import httpx2
import pytest
from graphql import IntValueNode, ObjectFieldNode, ObjectValueNode, StringValueNode, ValueNode
from graphql.language import NameNode
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis_graphql import mutations, queries

from app.context import Context, Services
from app.domain.users import Role
from app.execution import RequestError
from app.graphql import build_engine, build_schema, print_sdl
from app.services.archives.seed import Seed
from app.wiring import App
from tests.support.hostile.documents import hostile_documents
from tests.support.runtime import runtime_for
from tests.support.service import Service, caller, serving, settings_for
from tests.support.work_count import LongestTurn

STANDARD = {"accept": "application/graphql-response+json"}


@pytest.fixture
async def production(database_url: str, redis_url: str) -> AsyncIterator[Service]:
    """The service as it faces the public."""
    strict = {"environment": "production", "jwt_secret": "j" * 40, "action_token_secret": "a" * 40}
    async with serving(settings_for(database_url, redis_url, **strict)) as service:
        yield service


async def told(service: Service, query: str) -> str:
    """The one error that a refused document gets."""
    reply = await service.anonymous.post(query)
    assert reply.status_code == 400, reply.text
    (error,) = reply.json()["errors"]
    assert "data" not in reply.json()
    message: str = error["message"]
    return message


@pytest.mark.parametrize(
    ("finding", "query"),
    [
        ("introspection", "{ __schema { types { name } } }"),
        ("introspection of a type", '{ __type(name: "User") { name } }'),
        ("hidden introspection", "query A { ...F } fragment F on Query { s: __schema { queryType { name } } }"),
        ("circular introspection", "{ __schema { types { fields { type { fields { type { name } } } } } } }"),
        ("alias overloading", "{ " + " ".join(f"a{n}: __typename" for n in range(101)) + " }"),
        ("field duplication", "{ " + "__typename " * 500 + " }"),
        ("directive overloading", "{ __typename " + "@aa " * 10 + " }"),
        ("directive overloading, known", "{ __typename " + "@skip(if: false) " * 100 + " }"),
        ("circular fragment", "{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }"),
        ("deep nesting", "{ me " + "{ rank " * 200 + "}" * 201),
        ("unhandled error", "{ qwerty { abc } }"),
        ("injected string", "{ leaderboard(category: 7) { version } }"),
    ],
)
async def test_a_scanner_finds_nothing_in_a_document(production: Service, finding: str, query: str):
    message = await told(production, query)
    assert "exception" not in message.lower()
    assert "stack" not in message.lower()


@pytest.mark.parametrize(
    "query", ["{ leaderbord { version } }", "{ me { rol } }", "{ leaderboard(limits: 1) { version } }"]
)
async def test_nothing_is_suggested_to_who_guesses(production: Service, query: str):
    assert "Did you mean" not in await told(production, query)


async def test_no_batches_no_tracing_no_forms_no_reading_across_sites(production: Service):
    http, body = production.http, {"query": "{ __typename }"}
    batch = await http.post("/graphql", json=[body] * 10, headers=STANDARD)
    assert batch.status_code == 400
    traced = await http.post("/graphql", json=body, headers={**STANDARD, "x-apollo-tracing": "1"})
    assert traced.json() == {"data": {"__typename": "Query"}}
    form = await http.post("/graphql", data=body)
    plain = await http.get("/graphql", params=body)
    mutation = await http.get(
        "/graphql", params={"query": "mutation { __typename }"}, headers={"apollo-require-preflight": "1"}
    )
    assert [reply.status_code for reply in (form, plain, mutation)] == [400, 400, 405]
    assert all("data" not in reply.json() for reply in (form, plain, mutation))


@pytest.mark.parametrize("path", ["/graphql", "/graphiql", "/playground", "/console", "/altair", "/voyager", "/schema"])
async def test_no_page_to_explore_the_schema_in_production(production: Service, path: str):
    reply: httpx2.Response = await production.http.get(path, headers={"accept": "text/html"})
    assert reply.status_code in range(400, 500)
    assert "graphiql" not in reply.text.lower()


async def test_hostile_documents_are_refused_and_none_is_a_fault(service: Service):
    kinds: dict[int, int] = {}
    for shape, document in hostile_documents(170, seed=11):
        reply = await service.http.post("/graphql", json={"query": document[:60_000]}, headers=STANDARD)
        assert reply.status_code in (200, 400, 413), (shape, reply.text[:200])
        kinds[reply.status_code] = kinds.get(reply.status_code, 0) + 1
        if reply.status_code == 400:
            assert len(reply.json()["errors"]) == 1, shape
    assert kinds[400] > 100


def text(value: str) -> ValueNode:
    return StringValueNode(value=value)


def members(value: dict[str, str]) -> ValueNode:
    return ObjectValueNode(
        fields=tuple(ObjectFieldNode(name=NameNode(value=name), value=text(inner)) for name, inner in value.items())
    )


SCALARS = {
    "DateTime": st.one_of(
        st.sampled_from(["2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "soon"]),
        st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    ).map(text),
    "Score": st.integers(-(2**53), 2**53).map(lambda number: IntValueNode(value=str(number))),
    "JSON": st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=5), max_size=2).map(members),
}


def generated(strategy: Any, count: int) -> list[str]:
    """Valid documents, always the same."""
    documents: list[str] = []

    @hypothesis_settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(document: str) -> None:
        documents.append(document)

    collect()
    return documents


@pytest.mark.parametrize("role", [None, *Role], ids=str)
async def test_generated_documents_are_never_a_fault(service: Service, role: Role | None):
    who = service.anonymous if role is None else service.player("alice", role)
    await service.player("alice").play()
    sdl = print_sdl()
    documents = generated(queries(sdl, custom_scalars=SCALARS), 40)
    documents += generated(mutations(sdl, custom_scalars=SCALARS), 40)
    for document in documents:
        reply = await who.post(document)
        assert reply.status_code < 500, (document, reply.text[:500])
        codes = [error["extensions"]["code"] for error in reply.json().get("errors", [])]
        assert "INTERNAL_SERVER_ERROR" not in codes, (document, reply.text[:500])


ODD = ["", "x", "0" * 32, "00000000-0000-0000-0000-000000000000", "\u0000", "é" * 300, "' OR 1=1 --", "null"]

FIELDS = [
    "userRank(userId: $odd) { score }",
    "user(id: $odd) { username }",
    "transactions(userId: $odd) { edges { cursor } }",
    "leaderboard { around(userId: $odd) { score } }",
    "leaderboard { friends(userIds: [$odd]) { __typename } }",
    "leaderboard(category: $odd) { version }",
    "leaderboard { standings(after: $odd) { edges { cursor } } }",
    "actions(category: $odd) { id }",
]


@pytest.mark.parametrize("odd", ODD)
async def test_nothing_put_where_an_id_a_cursor_or_a_name_is_meant_is_a_fault(service: Service, odd: str):
    alice = service.player("alice")
    for field in FIELDS:
        kind = "ID" if "d: $odd" in field or "[$odd]" in field else "String"
        reply = await alice.post(f"query($odd: {kind}!) {{ {field} }}", odd=odd)
        codes = {error["extensions"]["code"] for error in reply.json().get("errors", [])}
        assert codes <= {"BAD_USER_INPUT", "USER_NOT_FOUND", "CATEGORY_NOT_FOUND", "FORBIDDEN"}, (field, reply.text)


EVERYTHING = "id rank competitionRank tiedWith score reachedAt user { id username avatarUrl createdAt }"


def many(count: int, field: str) -> str:
    """A document with a field `count` times; `#` in it stands for the number."""
    return "{ " + " ".join(f"a{n}: {field.replace('#', str(n))}" for n in range(count)) + " }"


DEAREST = [
    many(5, f"leaderboard(limit: 100) {{ entries {{ {EVERYTHING} }} }}"),
    many(5, f"leaderboard(limit: 100, offset: #) {{ entries {{ {EVERYTHING} }} }}"),
    many(5, f"leaderboard(limit: 1, offset: #) {{ standings(first: 100) {{ nodes {{ {EVERYTHING} }} }} }}"),
    many(1, f"leaderboard(limit: 100) {{ entries {{ {'score ' * 50} }} }}"),
    many(10, "actions { id name description category { id name description periods } }"),
]


MAX_STEPS = 300_000
"""Function calls of one turn of the loop: half as many again as the dearest of those above takes."""


@pytest.mark.parametrize("dearest", range(len(DEAREST)))
@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "interpreted"])
async def test_the_dearest_documents_that_pass_hold_the_loop_for_a_bounded_number_of_steps(
    app: App, dearest: int, compiled: bool
):
    seeding = Seed(app.database, app.catalogue, runtime_for(app.clock, random=Random(1)))
    await seeding.seed("global", 300, 900, 5, lambda _: None)
    await app.rebuild.rebuild(app.catalogue.current.category("global"), force=True)
    engine = build_engine(build_schema(), introspection=True, compile=compiled)
    context = Context(Services.of(app), caller=caller(), address="192.0.2.1")
    await engine.execute(engine.prepare("{ leaderboard(limit: 100) { entries { score } } }"), {}, context)
    async with LongestTurn() as longest:
        response = await engine.execute(engine.prepare(DEAREST[dearest]), {}, context)
        body = engine.encode(response)
    assert not response.errors, response.errors
    assert len(body) > 1_000
    assert longest.turns >= 1
    assert longest.steps <= MAX_STEPS


def test_documents_dearer_than_that_do_not_pass():
    engine = build_engine(build_schema(), introspection=True, compile=True)
    for document in DEAREST[:3]:
        dearer = (
            document[:-2]
            + " z: leaderboard(limit: 100, offset: 77) { entries { "
            + EVERYTHING
            + " id2: id id3: id } } }"
        )
        with pytest.raises(RequestError) as refused:
            engine.prepare(dearer)
        assert (refused.value.errors[0].extensions or {})["code"] == "QUERY_TOO_COMPLEX"
