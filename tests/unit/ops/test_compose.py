"""docker-compose.yml: settings exist, secrets are files, and the limits of its parts fit each other."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.config import Settings
from app.config.environment import FILE_SUFFIX, SETTINGS_IN_FILES

ROOT = Path(__file__).resolve().parents[3]
LIBRARIES = {"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}
"""Variables that the libraries of OpenTelemetry read."""


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


def test_every_setting_of_the_service_exists(compose: dict[str, Any]):
    known = {name.upper() for name in Settings.model_fields} | LIBRARIES
    known |= {name.upper() + FILE_SUFFIX for name in SETTINGS_IN_FILES}
    assert set(compose["services"]["app"]["environment"]) <= known


def test_the_script_creates_every_secret_and_keeps_it_when_it_runs_again(compose: dict[str, Any], tmp_path: Path):
    script, folder = ROOT / "docker" / "create-secrets.sh", tmp_path / "secrets"
    subprocess.run(["sh", script, folder], check=True, timeout=60)
    created = {path.name: path.read_text() for path in folder.iterdir()}
    # The password of Redis is in the other two files of Redis.
    assert {f"./secrets/{name}" for name in created} == {"./secrets/redis_password"} | {
        secret["file"] for secret in compose["secrets"].values()
    }
    assert len({text.strip() for name, text in created.items()}) == len(created)
    assert folder.stat().st_mode & 0o077 == 0
    subprocess.run(["sh", script, folder], check=True, timeout=60)
    assert {path.name: path.read_text() for path in folder.iterdir()} == created


def test_every_file_that_a_service_reads_is_one_of_its_secrets(compose: dict[str, Any]):
    for name, service in compose["services"].items():
        text = " ".join([*map(str, service.get("environment", {}).values()), *map(str, service.get("command", ()))])
        assert set(re.findall(r"/run/secrets/([\w.]+)", text)) == set(service.get("secrets", ())), name


def test_every_mounted_file_exists(compose: dict[str, Any]):
    mounted = [volume for service in compose["services"].values() for volume in service.get("volumes", ())]
    missing = [volume for volume in mounted if volume.startswith("./") and not (ROOT / volume.split(":")[0]).is_file()]
    assert missing == []


def test_every_service_has_limits_of_its_resources(compose: dict[str, Any]):
    for name, service in compose["services"].items():
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name


def test_the_service_answers_before_the_proxy_gives_up(compose: dict[str, Any]):
    proxy = (ROOT / "docker" / "nginx" / "service.conf").read_text()
    plain, long_lived = map(int, re.findall(r"proxy_read_timeout (\d+)s;", proxy))
    (timeout,) = re.findall(r":-(\d+)\}", compose["services"]["app"]["environment"]["REQUEST_TIMEOUT"])
    defaults = Settings.model_fields
    assert defaults["db_timeout"].default < int(timeout) < plain
    assert defaults["ws_heartbeat_interval"].default + defaults["ws_heartbeat_timeout"].default < long_lived


def test_the_proxy_limits_an_address_only_above_the_limits_of_the_service():
    folder = ROOT / "docker" / "nginx"
    (rate,) = re.findall(r"rate=(\d+)r/s", (folder / "nginx.conf").read_text())
    (burst,) = re.findall(r"limit_req zone=requests burst=(\d+) ", (folder / "service.conf").read_text())
    (connections,) = re.findall(r"limit_conn connections (\d+);", (folder / "service.conf").read_text())
    per_minute = sum(
        Settings.model_fields[f"rate_limit_{kind}_per_address"].default
        for kind in ("issue", "submit", "query", "connections")
    )
    per_instance = sum(
        Settings.model_fields[name].default for name in ("ws_max_connections_per_address", "max_streams_per_address")
    )
    assert int(rate) * 60 > per_minute
    assert int(burst) > per_minute  # The service allows all of it at once.
    assert int(connections) > 3 * per_instance


def test_redis_evicts_nothing_and_is_limited_below_the_memory_of_its_container(compose: dict[str, Any]):
    command = compose["services"]["redis"]["command"]
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    maximum = command[command.index("--maxmemory") + 1]
    limit = compose["services"]["redis"]["deploy"]["resources"]["limits"]["memory"]
    assert (maximum, limit) == ("${REDIS_MAXMEMORY:-1gb}", "${STORE_MEMORY:-2g}")


def test_the_file_of_settings_reaches_the_service_but_its_port_does_not(
    compose: dict[str, Any],
):
    for name in ("app", "migrate"):
        service = compose["services"][name]
        assert service["env_file"] == [{"path": ".env", "required": False}]
        assert {"HOST", "PORT"} <= set(service["environment"])
        assert service["environment"]["PORT"] == "8000"
