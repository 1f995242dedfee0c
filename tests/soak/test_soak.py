"""When all clients have left, a server holds what it held before."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from app.config import Settings
from tests.soak.churn import VISITS, churn
from tests.soak.server import excess, soaked_server


@pytest.mark.timeout(400)
async def test_nothing_is_left_of_clients_that_came_and_left(settings: Settings, tmp_path: Path):
    random = Random(1)
    async with soaked_server(settings, tmp_path) as server:
        await churn(server, random, visits=len(VISITS), at_once=4)
        nothing = dict.fromkeys(await server.held(), 10_000) | {
            "feeds": 0, "watchers": 0, "subscription_groups": 0, "sockets": 0, "streams": 0,
        }  # fmt: skip
        base = await server.settled(nothing)
        assert not excess(base, nothing)
        await churn(server, random, visits=20 * len(VISITS), at_once=16)
        assert excess(await server.settled(base), base) == {}
