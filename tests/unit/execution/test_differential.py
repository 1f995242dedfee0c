"""The compiled executor gives what graphql-core gives: data, errors, their order, and the calls made."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry
from strawberry.schema.config import StrawberryConfig

from app.execution import Engine
from tests.unit.execution.differential import Pair
from tests.unit.execution.library import BROKEN, Context, schema

BOOK = """
  __typename title year isbn genre price stock sold lent tags ratings notes label(prefix: "@")
  author { id name born nickname followed } sequel { title sequel { isbn sequel { isbn } } }
"""

# A coroutine that is never awaited is work that was lost.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

COMPILED: list[tuple[str, dict[str, Any] | None]] = [
    ("{ books { " + BOOK + " } }", None),
    ("{ b: books(first: 2) { t: title again: title a: author { n: name } } constant }", None),
    ("{ catalogue(first: 3) { isbn } }", None),
    ("query ($n: Int! = 2) { catalogue(first: $n) { isbn } }", None),
    ("query ($n: Int! = 2) { catalogue(first: $n) { isbn } }", {"n": 4}),
    ('{ book(isbn: "1003") { title } missing: book(isbn: "x") { title } }', None),
    ('{ must(isbn: "x") { title } constant }', None),
    ("{ echo(score: 9007199254740991) low: echo(score: -9007199254740991) }", None),
    ("query ($s: Score! = 9007199254740991) { echo(score: $s) }", None),
    ("query ($s: Score! = 2) { echo(score: $s) }", {"s": -(2**53) + 1}),
    ("query ($s: Score! = 2) { echo(score: $s) }", {"s": 3.0}),
    ("query ($w: Window!) { window(window: $w) }", {"w": {"sold": 2**53 - 1}}),
    ("{ __typename books(first: 1) { __typename author { __typename } } }", None),
    # fragments, merging, interfaces, unions
    (
        """{ books(first: 2) { ...A author { name } ... { isbn } ... on Work { label } } }
        fragment A on Book { author { id } ...B } fragment B on Work { title ... on Film { minutes } }""",
        None,
    ),
    ("{ works { title year label __typename ... on Book { isbn } ... on Film { minutes director { name } } } }", None),
    ("{ slowWorks { title ... on Film { director { name books { title } } } } }", None),
    ("{ items { ... on Book { isbn author { name } } ... on Film { minutes title } } }", None),
    ("{ item { ... on Book { shelf(row: 3) } } film: item(film: true) { __typename } }", None),
    ("{ oddItems { __typename ... on Book { isbn } } }", None),
    ("{ oddItems { ... on Book { blurb } } }", None),
    ("{ items { ... on Film { title } } works { ... on Book { title } } }", None),
    # values of other classes than the schema's
    ("{ page { total members { isbn blurb } } films { total members { minutes } } }", None),
    ("{ page { members { title } } pages { __typename ... on BookPage { members { isbn } } } }", None),
    ("{ pages { ... on BookPage { total } ... on FilmPage { members { director { name } } } } }", None),
    ("{ disguised { __typename title ... on Book { isbn } ... on Film { minutes } } }", None),
    ("{ disguised { __typename label ... on Film { minutes } } }", None),
    ("{ disguisedItems { __typename ... on Book { isbn } ... on Film { minutes } } }", None),
    ("{ castWorks { __typename title } }", None),
    ("{ castWorks { label } }", None),
    ("{ castItems { __typename ... on Book { isbn } } }", None),
    ("{ castItems { ... on Book { blurb } } }", None),
    ("{ castPeople { __typename ... on Author { name } ... on Reader { name } } }", None),
    ("{ castPeople { ... on Author { followed } ... on Reader { card } } }", None),
    ("{ castBook { title } }", None),
    ("{ castBook { blurb } }", None),
    ("{ lookalikes { name born } }", None),
    ("{ lookalikes { name followed } }", None),
    # nodes
    ('{ node(id: "1") { id __typename } branch: node(id: "b") { id ... on Branch { city newest { title } } } }', None),
    ('{ node(id: "2") { ... on Author { name followed } ... on Branch { newest(first: 2) { isbn } } } }', None),
    ('{ node(id: "none") { id } nodes(ids: ["b", "none", "1"]) { id ... on Author { born } } }', None),
    (
        """query ($ids: [ID!]!, $first: Int) { nodes(ids: $ids) { ...N } }
        fragment N on Node { id ... on Node { ... on Branch { newest(first: $first) { ...B } } } }
        fragment B on Book { author { id ... on Node { __typename } } }""",
        {"ids": ["b", "2", "b"], "first": 2},
    ),
    # exactly one of several
    ('{ find(by: {isbn: "1"}) other: find(by: {title: "x"}) window: find(by: {window: {first: 1}}) }', None),
    ("query ($by: BookBy!) { find(by: $by) }", {"by": {"isbn": "1"}}),
    ("query ($by: BookBy!) { find(by: $by) }", {"by": {"window": {"after": "1"}}}),
    ("query ($title: String!) { find(by: {title: $title}) }", {"title": "x"}),
    # what belongs to the viewer
    ('{ nearby { name } other: nearby(to: "2") { name followed } }', None),
    ("query ($to: ID) { nearby(to: $to) { name } }", {"to": None}),
    # conditions
    *[
        (
            """query ($yes: Boolean!, $no: Boolean = true) { books(first: 1) {
            title @include(if: $yes) isbn @skip(if: $no) ...F @include(if: $no) ... @skip(if: $yes) { price } } }
            fragment F on Book { stock author @skip(if: $yes) { name } }""",
            {"yes": yes, **({} if no is None else {"no": no})},
        )
        for yes in (True, False)
        for no in (True, False, None)
    ],
    ("{ books(first: 1) { title @skip(if: true) } }", None),
    ("query ($a: Boolean!) { books @skip(if: $a) { title } constant @include(if: $a) }", {"a": True}),
    # arguments
    ("{ echo }", None),
    ('{ echo(text: null, number: 3, ratio: 2, genre: ESSAY, words: ["a"], maybe: null, blob: {a: [1]}) }', None),
    ('{ echo(at: "2020-02-03T04:05:06Z") }', None),
    ('{ echo(at: "yesterday") }', None),
    ("{ echo(number: 3000000000) }", None),
    ("query ($t: String, $m: String) { echo(text: $t, maybe: $m) }", None),
    ("query ($t: String, $m: String) { echo(text: $t, maybe: $m) }", {"t": None, "m": None}),
    ('query ($t: String = "d", $m: String = "e") { echo(text: $t, maybe: $m) }', {"t": "x"}),
    ("query ($r: Float, $g: Genre) { echo(ratio: $r, genre: $g) }", {}),
    ("query ($r: Float = 2, $g: Genre = ESSAY) { echo(ratio: $r, genre: $g) }", {}),
    ("query ($r: Float = 2, $g: Genre = ESSAY) { echo(ratio: $r, genre: $g) }", {"r": None}),
    ("query ($r: Float = 2, $g: Genre = ESSAY) { echo(ratio: $r, genre: $g) }", {"g": None}),
    ("query ($r: Float!, $g: Genre!) { echo(ratio: $r, genre: $g) }", {"r": 1, "g": "ESSAY"}),
    (
        "query ($w: [String!], $b: JSON, $x: JSON) { echo(words: $w, blob: {v: $b, w: [$x]}) }",
        {"w": "one", "b": {"k": 1}},
    ),
    ("query ($at: DateTime) { echo(at: $at) }", {"at": "2020-02-03T04:05:06+02:00"}),
    ("query ($x: String!) { echo(words: [$x, $x]) }", {"x": "y"}),
    ("query ($x: String) { echo(words: [$x]) }", {}),
    ("{ window(window: {}) again: window(window: {first: 1, genres: ESSAY}) }", None),
    ("query ($w: Window!) { window(window: $w) again: window(window: $w) }", {"w": {"after": 3}}),
    ("query ($g: [Genre!]!) { window(window: {genres: $g}) }", {"g": ["ESSAY", "NOVEL"]}),
    ('{ order(order: {isbn: 1, amount: {copies: 2}}) b: order(order: {isbn: "x", amount: {share: 1}}) }', None),
    ("query ($o: Order!) { order(order: $o) again: order(order: $o) }", {"o": {"isbn": 1, "amount": {"share": 0.5}}}),
    ("query ($n: Int!) { order(order: {isbn: 1, amount: {copies: $n}}) }", {"n": 3}),
    (
        "query ($a: Amount!) { order(order: {isbn: 1, amount: $a}) orders(orders: [], amount: $a) }",
        {"a": {"copies": 3}},
    ),
    (
        "query ($o: [Order!]!) { orders(orders: $o) }",
        {"o": [{"isbn": 1, "amount": {"copies": 1}}, {"isbn": 2, "amount": {"share": 1}}]},
    ),
    *[
        ("query ($o: Order!) { order(order: $o) }", {"o": {"isbn": 1, "amount": amount}})
        for amount in (
            {},
            {"copies": None},
            {"copies": 1, "share": 1},
            {"copies": 1, "share": None},
            {"other": 1},
            None,
        )
    ],
    ("{ scribble(blob: {a: 1}) }", None),
    ("query ($m: String!) { scribble(blob: {a: 1}, mark: $m) }", {"m": "y"}),
    ("query ($b: JSON = {a: 1}) { scribble(blob: $b) }", {}),
    ('{ perhaps one: perhaps(number: 1, text: null) two: perhaps(text: "x") }', None),
    ("query ($n: Int!, $t: String) { perhaps(number: $n, text: $t) }", {"n": 3}),
    ("query ($n: Int!, $t: String) { perhaps(number: $n, text: $t) }", {"n": 3, "t": None}),
    ("query ($n: Int) { perhaps(number: $n) }", {"n": None}),
    # nested resolvers
    ("{ books { shelf(row: 1) blurb up: shelf(row: 2, upper: true) author { name followed books { isbn } } } }", None),
    ("{ books(first: 3) { isbn blurb(length: 0) author { books(first: 1, genre: ESSAY) { blurb } } } }", None),
    ("query ($n: Int) { books(first: 3) { blurb(length: $n) } }", {"n": 101}),
    ("query ($n: Int) { books(first: 3) { blurb(length: $n) } }", {"n": None}),
    ("{ me { name followed books(first: 3) { author { name books { title } } } } }", None),
    # errors
    ("{ fails constant again: fails }", None),
    ("{ a: failsLater(steps: 3) b: failsLater c: number(steps: 2) d: fails }", None),
    ("{ a: failsLater(steps: 3) b: mustNotFail(steps: 1) c: number(steps: 5) }", None),
    ("{ a: mustNotFail(steps: 3) b: mustNotFail(steps: 1) }", None),
    ("{ a: number(steps: 3) b: number(steps: 1) }", None),
    ('{ number fails(message: "x") must(isbn: "none") { title } echo failsLater }', None),
    ('{ a: number(steps: 4) b: number(steps: 2) must(isbn: "none") { title } c: number }', None),
    ("{ a: number(steps: 4) promises strict: strictPromises }", None),
    ("{ promisedBooks { isbn blurb } }", None),
    ("{ promisedBooks(broken: true) { isbn blurb } }", None),
    ("{ promises }", None),
    ("{ once { title author { name } } }", None),
    ("{ once { shelf(row: 1) } }", None),
    ("{ flow }", None),
    ("{ matrix }", None),
    ("{ secret constant }", None),
    ("{ brokenStrict { title } }", None),
    ("{ brokenStrict { stock } }", None),
    ("{ brokenStrict { isbn } }", None),
    ("{ brokenList { isbn title stock sold price genre tags author { name born } ratings sequel { title } } }", None),
    ("{ brokenList { __typename } }", None),
    ("{ brokenList { author { __typename } sequel { __typename author { __typename } } } }", None),
    ("{ brokenList { shelf(row: 1) title author { name followed } sequel { blurb title } } }", None),
    ("{ lookup { __typename ... on Problem { message } ... on NotFound { id } } }", None),
    ('{ lookup(id: "declined") { __typename } }', None),
    ('{ lookup(id: "banned") { __typename ... on Forbidden { message retryAfter } } }', None),
    # mutations
    ('mutation { lend(input: {isbn: "1001"}) { __typename ... on Book { isbn author { followed } } } }', None),
    (
        "mutation ($i: LendInput!) { lend(input: $i) { __typename ... on Problem { message } } }",
        {"i": {"isbn": "zzz", "until": "2030-01-01T00:00:00Z"}},
    ),
    ('mutation { lend(input: {isbn: "banned"}) { ... on Forbidden { message } } }', None),
    ('mutation { lend(input: {isbn: "crash"}) { __typename } }', None),
    ('mutation { a: note(text: "1", steps: 5) b: jot(text: "2") c: note(text: "3", steps: 1) }', None),
    ('mutation { a: jot(text: "bad") b: note(text: "bad") c: note(text: "never") }', None),
    # subscriptions
    ("subscription { shelf(count: 3) { " + BOOK + " } }", None),
    ("subscription ($n: Int!) { s: shelf(count: $n) { isbn author { books { title } } } }", {"n": 2}),
    ("subscription { shelf(failAt: 1) { isbn } }", None),
    ("subscription { shelf(failAt: 0) { isbn } }", None),
    ("subscription { kinds { __typename ... on Book { isbn } ... on Film { director { name } } } }", None),
    ("subscription { broken { title stock sold price genre author { name } } }", None),
    ("subscription { broken { shelf(row: 1) title } }", None),
    ("subscription { handmade { isbn } }", None),
    ("subscription { refused { isbn } }", None),
]

INTERPRETED: list[tuple[str, dict[str, Any] | None]] = [
    ('{ __type(name: "Book") { name fields { name } } constant }', None),
    ("{ __schema { types { name } } }", None),
]

REFUSED: list[tuple[str, dict[str, Any] | None]] = [
    ("{ nothing }", None),
    ("query ($n: Int!) { books(first: $n) { title } }", {}),
    ("query ($n: Int!) { books(first: $n) { title } }", {"n": None}),
    ("query ($n: Int!) { books(first: $n) { title } }", {"n": True}),
    ("query ($n: Int!) { books(first: $n) { title } }", {"n": 2**31}),
    ("query ($s: Score!) { echo(score: $s) }", {"s": 2**53}),
    ("query ($s: Score!) { echo(score: $s) }", {"s": 1.5}),
    ("query ($s: Score!) { echo(score: $s) }", {"s": True}),
    ("query ($s: Score!) { echo(score: $s) }", {"s": "1"}),
    ("query ($s: Score!) { echo(score: $s) }", {"s": None}),
    ("query ($w: Window!) { window(window: $w) }", {"w": {"sold": -(2**53)}}),
    ("{ echo(score: 9007199254740992) }", None),
    ("{ echo(score: 1.5) }", None),
    ('{ echo(score: "1") }', None),
    ("query ($w: Window!) { window(window: $w) }", {"w": {"frist": 1}}),
    ("subscription ($n: Int!) { shelf(count: $n) { title } }", {"n": "x"}),
    ("query ($by: BookBy!) { find(by: $by) }", {"by": {}}),
    ("query ($by: BookBy!) { find(by: $by) }", {"by": {"isbn": "1", "title": "x"}}),
    ("query ($by: BookBy!) { find(by: $by) }", {"by": {"isbn": None}}),
    ("query ($by: BookBy!) { find(by: $by) }", {"by": {"isbn": "1", "title": None}}),
    ('{ find(by: {isbn: "1", title: "x"}) }', None),
    ("{ find(by: {}) }", None),
    ("query ($title: String) { find(by: {title: $title}) }", {"title": "x"}),
    ("{ node(id: null) { id } }", None),
    ('{ node(id: "1") { city } }', None),
]


@pytest.mark.parametrize(("query", "variables"), COMPILED)
async def test_compiled_operations_agree_with_graphql_core(query: str, variables: dict[str, Any] | None) -> None:
    pair = Pair()
    await pair.agree(query, variables)
    assert pair.compiling.executions.interpreted <= 1, "the compiler should know this"


@pytest.mark.parametrize(("query", "variables"), INTERPRETED)
async def test_what_the_compiler_does_not_know_is_interpreted(query: str, variables: dict[str, Any] | None) -> None:
    pair = Pair()
    await pair.agree(query, variables)
    assert pair.compiling.executions.compiled == 0
    assert pair.compiling.executions.interpreted == 3


@pytest.mark.parametrize(("query", "variables"), REFUSED)
async def test_refusals_agree(query: str, variables: dict[str, Any] | None) -> None:
    await Pair().agree(query, variables)


async def test_every_kind_of_broken_value_agrees() -> None:
    pair = Pair()
    query = """query ($kind: String!) { broken(kind: $kind) {
        title stock sold price isbn genre tags ratings author { name born } sequel { title author { name } } } }"""
    for kind in BROKEN:
        await pair.agree(query, {"kind": kind})
        await pair.agree(query.replace("title stock", "blurb title stock"), {"kind": kind})


async def test_a_permission_decides_for_each_viewer() -> None:
    pair = Pair()
    assert await pair.agree("{ secret }", viewer="root") == [b'{"data":{"secret":"s"}}']
    assert b"not for you" in (await pair.agree("{ secret }"))[0]


async def test_fields_of_the_viewer_belong_to_each_viewer() -> None:
    pair = Pair()
    query = "query ($to: ID) { nearby(to: $to) { name followed } }"
    for viewer in ("ada", "bob"):
        assert b'"name":"%b","followed":true' % viewer.encode() in (await pair.agree(query, viewer=viewer))[0]
        assert b'"name":"ada"' in (await pair.agree(query, {"to": "1"}, viewer=viewer))[0]


async def test_each_combination_of_conditions_has_its_own_plan() -> None:
    pair = Pair()
    query = "query ($a: Boolean!, $b: Boolean = true) { c: echo a: echo @skip(if: $a) b: echo @include(if: $b) }"
    for a in (True, False):
        for b in (True, False):
            await pair.agree(query, {"a": a, "b": b})
    assert (pair.compiling.executions.interpreted, pair.compiling.executions.compiled) == (4, 8)
    await pair.agree(query, {"a": False})
    await pair.agree(query, {"a": False, "b": None})


async def test_a_plan_too_heavy_to_keep_is_not_made_again_and_again() -> None:
    engine = Engine(schema, cache_bytes=10_000)
    operation = Engine(schema).prepare("{ books { isbn title stock sold price lent genre tags } }")
    for _ in range(4):
        await engine.execute(operation, None, Context())
    assert engine.executions.compiled == 1
    assert engine.executions.interpreted == 3


@strawberry.type
class Answer:
    value: int


@strawberry.type
class Question:
    @strawberry.field
    def answer(self) -> Answer:
        return Answer(value=21)


async def test_a_schema_with_another_default_resolver_is_interpreted() -> None:
    config = StrawberryConfig(default_resolver=lambda source, name: 2 * getattr(source, name))
    engine = Engine(strawberry.Schema(Question, config=config))
    operation = engine.prepare("{ answer { value } }")
    for _ in range(3):
        assert (await engine.execute(operation, None, None)).data == {"answer": {"value": 42}}
    assert engine.executions.compiled == 0


async def test_a_selection_that_multiplies_itself_is_not_compiled() -> None:
    levels = "".join(
        f"fragment F{n} on Book {{ a: sequel {{ ...F{n + 1} }} b: sequel {{ ...F{n + 1} }} }} " for n in range(14)
    )
    pair = Pair()
    await pair.agree(f"{{ books(first: 1) {{ ...F0 }} }} {levels} fragment F14 on Book {{ isbn }}")
    assert pair.compiling.executions.compiled == 0
