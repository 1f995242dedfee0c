"""A small attack of the kind that `python -m bench.attack` makes."""

from bench.attack.scenarios import Target, attack
from tests.support.service import Service


async def test_no_attack_causes_an_internal_error_or_a_stack_trace(service: Service):
    results = await attack(Target(service.url, service.settings, service.http, documents=34))
    assert {result.kind: result.faults for result in results if result.faults} == {}
    assert sum(result.stack_traces for result in results) == 0
    by_kind = {result.kind: result for result in results}
    assert set(by_kind["access tokens over HTTP"].answers) == {"401"}
    assert set(by_kind["access tokens over sockets"].answers) == {"4401"}
    # 400 is the response to a token with a null character, which no string may contain.
    assert set(by_kind["action tokens"].answers) == {"INVALID_ACTION_TOKEN", "400"}
    assert all(result.sent for result in results)
