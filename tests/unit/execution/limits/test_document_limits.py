import pytest
from graphql import build_schema, get_introspection_query, parse

from app.execution import Engine, RequestError
from app.execution.limits.limits import DocumentLimits
from app.execution.limits.measure import LimitExceeded, measure_document
from tests.support.graphql.sample_schema import SCHEMA
from tests.support.hostile.documents import MAX_LENGTH, hostile_documents
from tests.support.work_count import Steps

BOARDS = build_schema("""
    type Query { leaderboard(limit: Int! = 10): Leaderboard! actions: [Action!]! me: User! search(first: Int): [User!] }
    type Leaderboard {
        entries: [Entry!]!
        around(radius: Int! = 5): [Entry!]!
        standings(first: Int! = 50, after: String, last: Int): Standings!
        among(userIds: [ID!]!): [Entry!]!
    }
    type Standings { edges: [Edge!]! }
    type Edge { node: Entry! }
    type Entry { score: Int! rank: Int! user: User! }
    type User { id: ID! friends: [User!]! }
    type Action { id: ID! }
""")


def verdict(document: str, **limits: int | bool) -> str | None:
    """The reason a document is refused, or None."""
    try:
        measure_document(BOARDS, parse(document), len(document), DocumentLimits(**limits))  # type: ignore[arg-type]
    except LimitExceeded as exceeded:
        return exceeded.reason
    return None


@pytest.mark.parametrize(
    ("document", "within", "over"),
    [
        ("{me{friends{id}}}", {"max_depth": 3}, {"max_depth": 2}),
        ("{me{...A}} fragment A on User{friends{id}}", {"max_depth": 3}, {"max_depth": 2}),
        ("{me{...on User{friends{id}}}}", {"max_depth": 3}, {"max_depth": 2}),
        ("{a:me{b:id} c:me{id}}", {"max_aliases": 3}, {"max_aliases": 2}),
        ("{a:me{...A} b:me{...A}} fragment A on User{x:id}", {"max_aliases": 4}, {"max_aliases": 3}),
        ("{me{id} actions{id}}", {"max_root_fields": 2}, {"max_root_fields": 1}),
        ("{...A ...A} fragment A on Query{me{id} ...on Query{me{id}}}", {"max_root_fields": 4}, {"max_root_fields": 3}),
        ("{me{id id friends{id}}}", {"max_fields": 5}, {"max_fields": 4}),
        ("{me{...A ...A}} fragment A on User{id id}", {"max_fields": 5}, {"max_fields": 4}),
        ("query A{me{id}} query B{me{id}}", {"max_fields": 4}, {"max_fields": 3}),
        ("{me{id @skip(if:true) @include(if:true)}}", {"max_directives": 2}, {"max_directives": 1}),
        ("query @x{me{id}}", {"max_directives": 1}, {"max_directives": 0}),
        ("{me{...A @x}} fragment A on User @x{...on User @x{id}}", {"max_directives": 3}, {"max_directives": 2}),
        ("query A{me{id}} query B{me{id}}", {"max_operations": 2}, {"max_operations": 1}),
        ("{me{...A}} fragment A on User{id}", {"max_fragments": 1}, {"max_fragments": 0}),
        ("query($a:Int,$b:Int){me{id}}", {"max_variables": 2}, {"max_variables": 1}),
        ("{me{id}}", {"max_length": 8}, {"max_length": 7}),
    ],
)
def test_a_document_passes_at_a_limit_and_not_over_it(document: str, within: dict[str, int], over: dict[str, int]):
    assert verdict(document, **within) is None
    assert verdict(document, **over) is not None


@pytest.mark.parametrize(
    ("document", "cost"),
    [
        ("{me{id}}", 2),
        ("{leaderboard{entries{score}}}", 1 + 1 + 10),  # the default of the argument
        ("{leaderboard(limit:100){entries{score rank}}}", 1 + 1 + 100 * 2),
        ("{leaderboard(limit:3){entries{score user{id}}}}", 1 + 1 + 3 * 3),
        ("query($n:Int!){leaderboard(limit:$n){entries{score}}}", 1 + 1 + 100),  # a variable may be the largest
        ("query($n:Int!=2){leaderboard(limit:$n){entries{score}}}", 1 + 1 + 100),
        ("{leaderboard(limit:1000000){entries{score}}}", 1 + 1 + 100),  # the resolver refuses it
        (f"{{leaderboard(limit:{'9' * 6000}){{entries{{score}}}}}}", 1 + 1 + 100),
        ("{leaderboard(limit:-5){entries{score}}}", 1 + 1 + 1),
        ('{leaderboard(limit:"7"){entries{score}}}', 1 + 1 + 100),
        ("{leaderboard{around(radius:2){score}}}", 1 + 1 + 5),  # both sides and the centre
        ("{leaderboard(limit:2){standings(first:7){edges{node{score}}}}}", 1 + 1 + 1 + 7 * 2),
        ("{leaderboard(limit:2){standings(last:70){edges{node{score}}}}}", 1 + 1 + 1 + 70 * 2),
        ('{leaderboard(limit:2){among(userIds:["a","b","c"]){score}}}', 1 + 1 + 3),
        ("query($u:[ID!]!){leaderboard(limit:2){among(userIds:$u){score}}}", 1 + 1 + 100),
        ("{leaderboard(limit:2){entries{user{friends{id}}}}}", 1 + 1 + 2 * (1 + 1 + 10)),  # the inner list has no size
        ("{actions{id}}", 1 + 10),
        ("{search(first:4){id}}", 1 + 4),
        ("{search{id}}", 1 + 100),
        ("{leaderboard(limit:3){...A}} fragment A on Leaderboard{entries{...B}} fragment B on Entry{score rank}", 8),
        ("{nowhere{something{else}}}", 3),
    ],
)
def test_the_cost_is_the_number_of_fields_that_may_be_resolved(document: str, cost: int):
    assert verdict(document, max_cost=cost) is None
    assert "costs too much" in str(verdict(document, max_cost=cost - 1))


def test_the_refusal_names_its_code():
    with pytest.raises(LimitExceeded) as exceeded:
        measure_document(BOARDS, parse("{me{id}}"), 8, DocumentLimits(max_depth=1))
    assert exceeded.value.code == "QUERY_TOO_COMPLEX"


def test_introspection_can_be_switched_off_wherever_it_hides():
    for document in (
        "{__schema{types{name}}}",
        '{a:__type(name:"User"){name}}',
        "{...A} fragment A on Query{__schema{types{name}}}",
        "{me{id}} fragment A on Query{__schema{types{name}}}",
    ):
        with pytest.raises(LimitExceeded) as exceeded:
            measure_document(BOARDS, parse(document), len(document), DocumentLimits(introspection=False))
        assert exceeded.value.code == "GRAPHQL_VALIDATION_FAILED"
    assert verdict("{__typename me{__typename}}", introspection=False) is None


def test_tools_may_introspect_where_it_is_switched_on():
    full = get_introspection_query(
        specified_by_url=True, directive_is_repeatable=True, schema_description=True, input_value_deprecation=True
    )
    assert verdict(full) is None


@pytest.mark.parametrize(
    "document",
    [
        "{...A} fragment A on Query{...A}",
        "{me{...A}} fragment A on User{friends{...B}} fragment B on User{friends{...A}}",
        "{...Missing}",
        "fragment A on Nothing{b{c}}",
        "{__typename{a}}",
        "mutation{a{b}}",
        "type A{b:Int}",
    ],
)
def test_documents_that_make_no_sense_are_left_to_validation(document: str):
    assert verdict(document) is None


def test_fragments_that_double_at_every_level_are_refused_without_being_expanded():
    levels = 29
    parts = "".join(f"fragment F{n} on User{{friends{{...F{n + 1} ...F{n + 1}}}}}" for n in range(levels))
    document = f"{{me{{...F0}}}}{parts}fragment F{levels} on User{{id}}"
    assert verdict(document, max_depth=100) is not None


MAX_STEPS = 180_000
"""Function calls for parsing, measuring and validating a document: a third more than the dearest of those below."""


def preparation(document: str) -> tuple[str | None, int]:
    """The refusal's code, and the steps that the document took."""
    engine = Engine(SCHEMA, limits=DocumentLimits())
    with Steps().counting() as steps:
        try:
            engine.prepare(document)
        except RequestError as refusal:
            code = (refusal.errors[0].extensions or {}).get("code")
        else:
            code = None
    return code, steps.number


@pytest.mark.timeout(300)
def test_no_document_of_64_kib_takes_more_than_a_bounded_number_of_steps():
    codes = set()
    for shape, document in hostile_documents(510, seed=4):
        assert len(document) <= MAX_LENGTH
        code, steps = preparation(document)
        assert steps <= MAX_STEPS, f"{shape} took {steps} steps: {document[:200]}"
        codes.add(code)
    assert codes == {
        None,
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "QUERY_TOO_COMPLEX",
        "BAD_USER_INPUT",
    }


@pytest.mark.parametrize("document", ["{}", "{me{}}", "{me{...A}} fragment A on User{}", "{...on Query{}}"])
def test_an_empty_selection_is_refused(document: str):
    assert verdict(document) == "A selection must not be empty."
