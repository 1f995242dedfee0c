"""A small drill: nothing but what came after the instant is missing."""

from __future__ import annotations

import pytest

from tests.drill.run import drill


@pytest.mark.timeout(600)
async def test_a_lost_cluster_is_restored_to_an_instant_and_the_service_shows_the_boards_of_it(redis_url: str):
    result = await drill(redis_url, players=5, submissions=2, report=lambda step: None)
    assert result.lost == 10
    assert result.backup_bytes > 100_000
