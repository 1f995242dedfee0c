"""The service with Redis and PostgreSQL over TLS: certificates and host names are verified."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme
from sqlalchemy import text
from structlog.testing import capture_logs

from app.config import Settings
from app.domain.boards.board import board_of
from app.domain.boards.periods import Period
from app.domain.boards.views import Slice
from tests.e2e.operations.test_redis_permissions import documented_rules
from tests.support.processes.cli_process import environment, run
from tests.support.processes.tls_servers import needs_postgresql, needs_redis, postgresql_with_tls, redis_with_tls
from tests.support.service import BOARD, caller, opened, serving, settings_for
from tests.support.wait_until import until_answer

UNENCRYPTED = text(
    "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE NOT ssl AND client_port IS NOT NULL"
)


def rules(settings: Settings) -> str:
    return documented_rules().replace("lb:", f"{settings.redis_prefix}:")


def authority_of_others(folder: Path) -> Path:
    path = folder / "others.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return path


@needs_redis
async def test_redis_is_used_over_tls_with_the_documented_permissions(settings: Settings):
    async with redis_with_tls(rules(settings)) as (url, authority):
        given = settings.model_copy(update={"redis_url": f"{url}?ssl_ca_certs={authority}", "rate_limit_enabled": True})
        async with serving(given) as service:
            assert (await service.player("alice").play("COMPLETE_LEVEL"))["currentRank"] == 1
            assert (await service.anonymous.ask(BOARD))["leaderboard"]["source"] in ("MEMORY", "REDIS")
            await until_answer(
                lambda: service.http.get("/readyz"), lambda reply: reply.json()["status"] == "ok", interval=0.1
            )


@needs_redis
@pytest.mark.parametrize("mistake", ["another authority", "another host"])
async def test_a_redis_that_cannot_prove_who_it_is_is_not_used_and_the_log_says_why(
    settings: Settings, tmp_path: Path, mistake: str
):
    async with redis_with_tls(rules(settings)) as (url, authority):
        if mistake == "another host":
            given = f"{url.replace('localhost', '127.0.0.1')}?ssl_ca_certs={authority}"
        else:
            given = f"{url}?ssl_ca_certs={authority_of_others(tmp_path)}"
        changed = settings.model_copy(update={"redis_url": given})
        with capture_logs() as logs:
            async with opened(changed, loaded=False) as app:
                who = caller()
                await app.submit_score(who, (await app.issue_token(who, "COMPLETE_LEVEL")).token)
                page = await app.board_reader.page(board_of("global", Period.ALL_TIME, app.clock()), Slice(0, 50))
                assert [entry.user.id for entry in page.entries] == [who.user_id]
            assert any("CERTIFICATE_VERIFY_FAILED" in str(line) for line in logs)


@needs_postgresql
async def test_postgresql_is_used_over_tls_with_its_certificate_and_name_verified(redis_url: str, tmp_path: Path):
    async with postgresql_with_tls() as (url, authority):
        verified = f"{url}?sslmode=verify-full&sslrootcert={authority}"
        given = settings_for(verified, redis_url)
        migrated = await run("migrate", env=environment(given))
        assert migrated.code == 0, migrated.err
        async with serving(given) as service:
            assert (await service.player("alice").play("COMPLETE_LEVEL"))["newScore"] == 50
            async with service.app.database.connect() as connection:
                assert (await connection.execute(UNENCRYPTED)).scalar_one() == 0
        for mistake in (
            f"{url}?sslmode=verify-full&sslrootcert={authority_of_others(tmp_path)}",
            f"{url.replace('localhost', '127.0.0.1')}?sslmode=verify-full&sslrootcert={authority}",
        ):
            refused = await run("migrate", env=environment(settings_for(mistake, redis_url), START_TIMEOUT="0"))
            assert refused.code != 0
            assert "certificate verify failed" in refused.err
            assert "Traceback" not in refused.err
