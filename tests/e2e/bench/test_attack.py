"""A small attack of the kind that `python -m bench.attack` makes."""

import pytest

from bench.attack.scenarios import Target, attack
from tests.support.service import Service


@pytest.mark.timeout(180)
async def test_no_attack_gets_what_it_must_not(service: Service):
    tallies = await attack(Target(service.url, service.settings, service.http, documents=34))
    assert {tally.kind: tally.faults for tally in tallies if tally.faults} == {}
    assert sum(tally.stack_traces for tally in tallies) == 0
    by_kind = {tally.kind: tally for tally in tallies}
    assert set(by_kind["access tokens over HTTP"].answers) == {"401"}
    assert set(by_kind["access tokens over sockets"].answers) == {"4401"}
    # 400 is the answer to a text with a null character, which is refused before it is read as a token.
    assert set(by_kind["action tokens"].answers) == {"INVALID_ACTION_TOKEN", "400"}
    assert all(tally.sent for tally in tallies)
