"""The look-ups of operations on the real schema: what each asks of the stores, known before it is executed."""

from collections.abc import Iterator
from typing import Any

import pytest
from graphql import FieldNode, NameNode, get_named_type, get_nullable_type, is_list_type, is_object_type

from app.execution import Engine, RequestError
from app.execution.limits.lookups import LookupField, _FieldCounter, count_lookups_of, is_per_element
from app.graphql import build_engine, build_schema
from tests.support.work_count import Steps

SCHEMA = build_schema()
ME = "8f3c2b1a-0000-4000-8000-000000000001"


@pytest.fixture
def engine() -> Engine:
    return build_engine(SCHEMA, introspection=False, compile=True)


def lookups(engine: Engine, document: str, **variables: Any) -> list[tuple[str, int]]:
    return list(engine.prepare(document).bind(variables).lookups)


def total(engine: Engine, document: str, **variables: Any) -> int:
    return sum(count for _, count in lookups(engine, document, **variables))


@pytest.mark.parametrize(
    ("document", "count"),
    [
        ("{leaderboard{version}}", 1),
        ("{leaderboard(limit:100){version}}", 1),  # the top is in memory
        ("{leaderboard(limit:50,offset:50){version}}", 1),
        ("{leaderboard(limit:50,offset:51){version}}", 50),
        ("{leaderboard(limit:100000){version}}", 1),  # the resolver refuses it
        ('{leaderboard(at:"2026-01-01T00:00:00Z"){version}}', 210),
        (f'{{leaderboard{{around(userId:"{ME}"){{rank}}}}}}', 1 + 11),
        (f'{{leaderboard{{around(userId:"{ME}",radius:49){{rank}}}}}}', 1 + 99),
        ("{leaderboard{standings{edges{cursor}}}}", 1 + 50),
        ("{leaderboard{standings(last:7){edges{cursor}}}}", 1 + 7),
        (f'{{leaderboard{{friends(userIds:["{ME}","{ME}"]){{rank}}}}}}', 1 + 2),
        (f'{{leaderboard{{friends(userIds:"{ME}"){{rank}}}}}}', 1 + 1),  # one item stands for a list of one
        (f'{{userRank(userId:"{ME}"){{rank}}}}', 1),
        (f'{{userRank(userId:"{ME}",at:"2026-01-01T00:00:00Z"){{rank}}}}', 200),
        (f'{{user(id:"{ME}"){{id}}}}', 20),
        ("{me{openTokens}}", 0),
        ("{me{heldScores{id}}}", 100),
        ("{categories{id}}", 0),
        ("{me{rank{rank}}}", 1),
        ("{leaderboard{me{rank}}}", 1 + 1),
        ("{leaderboard{entries{movement}}}", 1 + 40),
        ('{players(search:"a"){username}}', 10 + 20),
        ("{leaderboard{around{rank}}}", 1 + 11),
        ("{leaderboard{standings(first:null){edges{cursor}}}}", 1 + 50),
        (f'{{node(id:"{ME}"){{id}}}}', 2),
        (f'{{node(id:"PlayerProfile:{ME}"){{id}}}}', 20),
        (f'{{node(id:"UserRank:global/ALL_TIME/{ME}"){{id}}}}', 1),
        (f'{{node(id:"UserRank:global/DAILY:2026-01-01/{ME}"){{id}}}}', 20 + 1),
        (f'{{node(id:"UserRank:global/ALL_TIME@2026-01-01T00:00:00+00:00/{ME}"){{id}}}}', 200 + 1),
        (
            '{node(id:"Leaderboard:global/ALL_TIME?offset=0&limit=10")'
            "{...on Leaderboard{standings(first:7){totalCount}}}}",
            1 + 7,
        ),
        ('{node(id:"Leaderboard:global/ALL_TIME?offset=200&limit=10"){id}}', 10),
        (f'{{nodes(ids:["{ME}","PlayerProfile:{ME}"]){{id}}}}', 2 + 20),
        (f'{{nodes(ids:["{ME}","x","y"]){{...on Leaderboard{{standings(first:7){{totalCount}}}}}}}}', 3 * 2 + 3 * 7),
        (f'{{transactions(userId:"{ME}"){{edges{{cursor}}}}}}', 20),
        (f'{{transactions(userId:"{ME}",first:100){{edges{{cursor}}}}}}', 100),
        (
            f'{{scoreHistory(userId:"{ME}",from:"2026-01-01T00:00:00Z",to:"2026-01-31T00:00:00Z"){{__typename}}}}',
            30,
        ),
        (
            f'{{scoreHistory(userId:"{ME}",from:"2026-01-01T00:00:00Z",to:"2026-01-31T00:00:00Z",step:HOUR){{__typename}}}}',
            720,
        ),
        (f'{{scoreHistory(userId:"{ME}",from:"2020-01-01T00:00:00Z",to:"2026-01-31T00:00:00Z"){{__typename}}}}', 750),
        (
            f'{{rankHistory(userId:"{ME}",from:"2026-01-01T00:00:00Z",to:"2026-02-01T00:00:00Z",period:WEEKLY){{__typename}}}}',
            5,
        ),
        ("{leaderboard{entries{metadata}}}", 1 + 10),
        ("{leaderboard(limit:100){entries{score metadata}}}", 1 + 100),
        (f'{{leaderboard{{around(userId:"{ME}",radius:49){{metadata}}}}}}', 1 + 99 + 99),
        ("{leaderboard{standings(last:7){nodes{metadata}}}}", 1 + 7 + 7),
        (f'{{leaderboard{{friends(userIds:["{ME}","{ME}"]){{entry{{metadata}}}}}}}}', 1 + 2 + 2),
        ("subscription{leaderboardUpdates(limit:20){leaderboard{entries{metadata}}}}", 1 + 20),
        ("subscription{leaderboardUpdates{version}}", 1),
        (f'subscription{{leaderboardUpdates(aroundUserId:"{ME}",radius:10){{version}}}}', 21),
        (f'subscription{{leaderboardUpdates{{leaderboard{{friends(userIds:["{ME}"]){{rank}}}}}}}}', 1 + 1),
        ('mutation{submitScore(input:{actionToken:"x"}){__typename}}', 0),
        (f'mutation{{deleteUser(userId:"{ME}",reason:"x"){{export}}}}', 200),
    ],
)
def test_each_field_counts_what_it_asks_of_the_stores(engine: Engine, document: str, count: int):
    assert total(engine, document) == count


def test_root_fields_are_counted_apart_and_aliases_one_by_one(engine: Engine):
    friends = f'friends(userIds:["{ME}"]){{rank}}'
    document = f"{{a:leaderboard{{x:{friends} y:{friends}}} b:leaderboard{{version}} categories{{id}}}}"
    assert lookups(engine, document) == [("leaderboard", 3), ("leaderboard", 1), ("categories", 0)]


def test_fields_that_are_executed_as_one_count_once(engine: Engine):
    document = """
        {leaderboard{...A} leaderboard{...B ...A}}
        fragment A on Leaderboard{standings(first:10){edges{cursor}}}
        fragment B on Leaderboard{... on Leaderboard{standings(first:10){pageInfo{hasNextPage}}}}
    """
    assert lookups(engine, document) == [("leaderboard", 1 + 10)]


def test_a_fragment_counts_wherever_it_is_spread(engine: Engine):
    document = f"""
        {{a:leaderboard{{...A}} b:leaderboard{{...A}}}} fragment A on Leaderboard{{friends(userIds:["{ME}"]){{rank}}}}
    """
    assert total(engine, document) == 2 * (1 + 1)


def test_variables_count_with_their_values(engine: Engine):
    document = """
        query($ids:[ID!]!,$at:DateTime,$n:Int!=3) {
          leaderboard(at:$at) { friends(userIds:$ids) { rank } standings(first:$n) { edges { cursor } } }
        }
    """
    assert total(engine, document, ids=[ME] * 7) == 1 + 7 + 3
    assert total(engine, document, ids=[], n=100) == 1 + 100
    assert total(engine, document, ids=[ME], at="2026-01-01T00:00:00Z") == 210 + 1 + 3
    assert total(engine, document, ids=[ME] * 7) == 1 + 7 + 3


def test_a_field_whose_arguments_do_not_fit_counts_nothing_of_its_own(engine: Engine):
    assert total(engine, "query($n:Int){leaderboard(limit:$n,offset:200){version}}", n=None) == 0


def test_variables_that_do_not_fit_are_refused_before_anything_is_counted(engine: Engine):
    with pytest.raises(RequestError):
        lookups(engine, "query($n:Int!){leaderboard(limit:$n){version}}", n="x")


def test_counting_again_for_the_same_variables_costs_next_to_nothing(engine: Engine):
    fields = " ".join(f"a{n}:leaderboard(offset:$n){{version}}" for n in range(10))
    operation = engine.prepare(f"query($n:Int!){{{fields}}}")
    first, again = Steps(), Steps()
    with first.counting():
        operation.bind({"n": 1000})
    with again.counting():
        operation.bind({"n": 1000})
    assert again.number * 5 < first.number


def test_long_variables_are_not_kept(engine: Engine):
    operation = engine.prepare("subscription($u:ID!){leaderboardUpdates(aroundUserId:$u){version}}")
    for number in range(20):
        operation.bind({"u": f"{number}{'x' * 60_000}"})
    operation.bind({"u": ME})
    assert list(operation.lookups._cached) == [(ME,)]


def fields_with_lookups() -> Iterator[tuple[str, Any]]:
    for owner in SCHEMA._schema.type_map.values():
        if is_object_type(owner):
            yield from ((f"{owner.name}.{name}", field) for name, field in owner.fields.items())


def test_every_count_refers_to_arguments_that_exist():
    counted = 0
    for name, field in fields_with_lookups():
        if count_lookups_of(field) is not None:
            _FieldCounter(LookupField((name,), field, FieldNode(name=NameNode(value=name))))
            counted += 1
    assert counted >= 12


BATCHED = {"movement"}
"""Fields of the entries of a page that are read together, by one call however many entries there are."""


def test_lookups_below_a_list_are_counted_for_every_element():
    """A field below a list makes its look-ups for every element, which must be counted."""
    repeated: set[str] = set()
    pending = [
        get_named_type(field.type).name
        for _, field in fields_with_lookups()
        if is_list_type(get_nullable_type(field.type))
    ]
    while pending:
        name = pending.pop()
        owner = SCHEMA._schema.type_map[name]
        if name in repeated or not is_object_type(owner):
            continue
        repeated.add(name)
        for key, field in owner.fields.items():
            is_counted = count_lookups_of(field) is None or is_per_element(field) or key in BATCHED
            assert is_counted, f"{name} is an element of a list"
            pending.append(get_named_type(field.type).name)
