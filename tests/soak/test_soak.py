"""When all clients have left, a server holds what it held before."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from app.config import Settings
from tests.soak.churn import VISITS, churn
from tests.soak.server import POOLED, excess, soaked_server

VISITS_OF_EACH_KIND = 20
"""More than what the pools may grow by, so that a kind of visit that leaves a connection to a store is noticed.

Client sockets may not grow at all: a single one that is left is noticed.
"""


@pytest.mark.timeout(600)
async def test_nothing_is_left_of_clients_that_came_and_left(settings: Settings, tmp_path: Path):
    assert max(POOLED.values()) < VISITS_OF_EACH_KIND
    async with soaked_server(settings, tmp_path) as server:
        base = await server.held()
        await churn(server, Random(1), visits=VISITS_OF_EACH_KIND * len(VISITS), at_once=16)
        assert excess(await server.settled(base), base) == {}
