"""A cluster under Patroni whose leader is lost: nothing acknowledged is lost, and the service goes on by itself."""

from __future__ import annotations

import asyncio

import pytest

from app.models.migrate import upgrade
from tests.faults.test_failover import Traffic, transactions
from tests.support.processes.patroni import needs_patroni, patroni_cluster
from tests.support.service import serving, settings_for

pytestmark = needs_patroni


@pytest.mark.timeout(400)
async def test_nothing_acknowledged_is_lost_when_patroni_promotes_the_standby(redis_url: str):
    async with patroni_cluster() as cluster:
        await asyncio.to_thread(upgrade, cluster.url)
        settings = settings_for(cluster.url, redis_url, db_timeout=2.0)
        async with serving(settings) as service, Traffic(service) as traffic:
            await traffic.more(20)
            old = cluster.leader
            assert old is not None
            old.kill()
            await traffic.more(40, timeout=120)  # Some were under way; the others need the new leader.
            new = await asyncio.to_thread(lambda: cluster.leader)
            assert new is not None
            assert new is not old
            results = await service.app.verify.run(lambda *_: None)
            assert [one for one in results if one.violations and one.name != "boards"] == []
        assert traffic.codes <= {"SERVICE_UNAVAILABLE"}
        assert traffic.acknowledged <= await transactions(
            f"{cluster.url}".replace(hosts(cluster.url), f"127.0.0.1:{new.port}")
        )


def hosts(url: str) -> str:
    """The hosts of a URL."""
    return url.rpartition("@")[2].partition("/")[0]
