from __future__ import annotations

import pytest
import strawberry
from graphql import GraphQLError, OperationType
from strawberry.extensions import SchemaExtension

from app.execution import Engine, RequestError
from app.execution.limits.limits import DocumentLimits
from app.execution.lru_cache import LRUCache
from tests.unit.execution.library import CONFIG, Query, schema


@strawberry.interface
class Thing:
    name: str


@strawberry.type
class Plain(Thing):
    pass


@strawberry.type
class Personal(Thing):
    name: str = strawberry.field(metadata={"viewer": True})


@strawberry.type
class Things:
    things: list[Thing]


def refusal(engine: Engine, query: str, name: str | None = None) -> GraphQLError:
    with pytest.raises(RequestError) as caught:
        engine.prepare(query, name)
    (error,) = caught.value.errors
    return error


def test_an_operation_knows_its_kind_name_and_root_fields(engine: Engine) -> None:
    operation = engine.prepare(
        """query Q($no: Boolean!) { b: books { title } ...F books @skip(if: $no) { title } __typename }
        fragment F on Query { c: book(isbn: "1") { isbn } ... { books { stock } constant } }"""
    )
    assert (operation.kind, operation.name) == (OperationType.QUERY, "Q")
    assert operation.root_fields == ("books", "book", "books", "constant", "__typename")


def test_a_document_is_prepared_once(engine: Engine) -> None:
    query = "query A { constant } query B { books { title } }"
    assert engine.prepare(query, "A") is engine.prepare(query, "A")
    assert engine.prepare(query, "B").root_fields == ("books",)


def test_the_only_operation_is_the_same_with_and_without_its_name(engine: Engine) -> None:
    query = "query A { constant }"
    assert engine.prepare(query) is engine.prepare(query, "A")


def test_a_syntax_error_is_refused(engine: Engine) -> None:
    for _ in range(2):
        error = refusal(engine, "{ constant ")
        assert error.extensions == {"code": "GRAPHQL_PARSE_FAILED"}
        assert error.locations == [(1, 12)]


def test_a_document_nested_too_deeply_is_refused(engine: Engine) -> None:
    assert refusal(engine, "{a" * 5000).extensions == {"code": "GRAPHQL_PARSE_FAILED"}


def test_only_the_first_error_is_told_and_nothing_of_the_schema_is_suggested(engine: Engine) -> None:
    for _ in range(2):
        error = refusal(engine, "{ constan bookz { titl } }")
        assert error.message == "Cannot query field 'constan' on type 'Query'."
        assert error.extensions == {"code": "GRAPHQL_VALIDATION_FAILED"}
        assert error.locations == [(1, 3)]
        assert error.nodes is None, "a cached error must not keep its document alive"


def test_raising_a_cached_refusal_again_does_not_lengthen_it(engine: Engine) -> None:
    caught = []
    for _ in range(2):
        try:
            engine.prepare("{ nothing }")
        except RequestError as error:
            caught.append(error)
    assert caught[0] is not caught[1]


@pytest.mark.parametrize(
    ("query", "name", "message"),
    [
        ("query A { constant }", "B", "Unknown operation named 'B'."),
        ("{ constant }", "", "Unknown operation named ''."),
        (
            "query A { constant } query B { constant }",
            None,
            "Must provide operation name if query contains multiple operations.",
        ),
    ],
)
def test_a_wrong_operation_name_is_bad_input(engine: Engine, query: str, name: str, message: str) -> None:
    error = refusal(engine, query, name)
    assert (error.message, error.extensions) == (message, {"code": "BAD_USER_INPUT"})


def test_a_kind_of_operation_the_schema_lacks_is_refused() -> None:
    engine = Engine(strawberry.Schema(Query, config=CONFIG))
    error = refusal(engine, "mutation { lend }")
    assert error.message == "The mutation operation is not supported by the schema."
    assert error.extensions == {"code": "GRAPHQL_VALIDATION_FAILED"}


def test_limits_are_checked_once_and_before_validation() -> None:
    engine = Engine(schema, limits=DocumentLimits(max_length=20))
    engine.prepare("{ constant }")
    error = refusal(engine, "{ not_even_a_field_here }")
    assert error.message == "The document must have at most 20 characters."
    assert error.extensions == {"code": "QUERY_TOO_COMPLEX"}
    assert refusal(engine, "{ not_even_a_field_here }") is error


def test_a_flood_of_bad_documents_does_not_push_out_the_good() -> None:
    engine = Engine(schema, cache_size=2)
    good = engine.prepare("{ constant }")
    for number in range(10):
        refusal(engine, f"{{ bad{number} }}")
    assert engine.prepare("{ constant }") is good


def test_a_schema_with_extensions_is_refused_as_they_would_not_run() -> None:
    with pytest.raises(ValueError, match="extensions"):
        Engine(strawberry.Schema(Query, extensions=[SchemaExtension], config=CONFIG))


@pytest.mark.parametrize(
    ("query", "shared"),
    [
        ("{ books { title author { name } } __typename }", True),
        ("{ me { name } }", False),
        ("{ books { author { followed } } }", False),
        ("{ books { author { followed @skip(if: true) } } }", False),
        ("{ works { ... on Book { author { ...A } } } } fragment A on Author { followed }", False),
        ("{ items { ... on Film { director { id } } } ... { ... on Query { constant } } }", True),
        ("subscription { shelf { author { name } } }", True),
        ("subscription { shelf { author { followed } } }", False),
        ("{ nearby { name } }", False),
        ("{ nearby(to: null) { name } }", False),
        ('{ nearby(to: "1") { name } }', True),
        ("query ($id: ID!) { nearby(to: $id) { name } }", True),
        ('query ($id: ID = "1") { nearby(to: $id) { name } }', False),
        ("query ($id: ID) { ... on Query { nearby(to: $id) { name } } }", False),
        ('mutation { jot(text: "x") }', False),
        ('{ __type(name: "Book") { name } }', True),
    ],
)
def test_an_operation_is_shared_unless_it_selects_what_depends_on_the_viewer(
    engine: Engine, query: str, shared: bool
) -> None:
    assert engine.prepare(query).shared is shared


def test_an_interface_field_depends_on_the_viewer_when_one_implementation_does() -> None:
    engine = Engine(strawberry.Schema(Things, types=[Plain, Personal]))
    assert not engine.prepare("{ things { name } }").shared
    assert engine.prepare("{ things { ... on Plain { name } } }").shared


def test_doubled_nested_fragments_are_walked_once() -> None:
    levels = "".join(
        f"fragment F{level} on Author {{ ...F{level + 1} ... {{ ...F{level + 1} }} }} " for level in range(60)
    )
    engine = Engine(schema)
    operation = engine.prepare(f"{{ books {{ author {{ ...F0 }} }} }} {levels} fragment F60 on Author {{ id }}")
    assert operation.shared


def test_the_cache_drops_what_was_used_longest_ago() -> None:
    cache: LRUCache[str, int] = LRUCache(max_entries=2, max_weight=100)
    cache.put("a", 1, 10)
    cache.put("b", 2, 10)
    assert cache.get("a") == 1
    cache.put("c", 3, 10)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)


def test_the_cache_is_bounded_by_weight_too() -> None:
    cache: LRUCache[str, int] = LRUCache(max_entries=100, max_weight=100)
    for number in range(10):
        cache.put(str(number), number, 40)
    cache.put("9", 9, 60)
    cache.put("too heavy", 0, 101)
    assert (len(cache), cache.weight) == (2, 100)
    assert cache.get("too heavy") is None
