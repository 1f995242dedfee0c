"""Small attacks on the service of others, of the kind that `python -m bench.attack` makes; no test asserts a speed."""

from __future__ import annotations

import pytest

from app.config import Settings
from bench.attack.takeover import take_over
from tests.support.service import Service, settings_for


@pytest.fixture
def settings(database_url: str, redis_url: str) -> Settings:
    return settings_for(
        database_url,
        redis_url,
        rate_limit_enabled=True,
        fraud_enabled=False,
        trusted_proxies="127.0.0.1",
        ws_max_connections=30,
        ws_max_connections_per_address=10,
        max_streams=30,
        max_streams_per_address=10,
    )


@pytest.mark.parametrize("name", ["views", "past", "sockets", "blocks", "probes", "documents"])
async def test_one_address_takes_nothing_away_from_the_others(service: Service, name: str) -> None:
    outcome = await take_over(name, service.url, service.settings, seconds=3, size=40)
    assert outcome.broken == []
    assert outcome.during.writes
    assert len(outcome.during.updates) == len(outcome.during.writes)
    assert outcome.sent > 0
    match name:
        case "views":
            assert outcome.answers.keys() <= {"next", "QUERY_TOO_COMPLEX", "RATE_LIMITED"}
            assert sum(outcome.answers.values()) == 41
        case "sockets":
            assert outcome.answers["socket"] == outcome.answers["stream"] == 10
            assert outcome.answers["1013"] == outcome.answers["429"] == 30
        case "past" | "blocks" | "documents":
            assert outcome.answers.keys() <= {"200", "429"}
