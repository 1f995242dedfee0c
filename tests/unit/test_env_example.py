"""`.env.example` is the list of settings that people read; it must be complete and true."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from app.config import Settings, load_settings

EXAMPLE = Path(__file__).parents[2] / ".env.example"
# Settings whose default is "none", that of a preset, or a secret: the example shows the form, or nothing.
WITHOUT_DEFAULT = {
    "database_url", "database_direct_url", "redis_url", "jwt_jwks_url", "trusted_documents_file", "sentry_dsn",
    "otel_exporter_otlp_endpoint", "jwt_secret", "jwt_secret_previous", "action_token_secret",
    "action_token_secret_previous", "completion_verifiers", "verifier_webhook_url", "verifier_webhook_secret",
    "metrics_token", "fraud_thresholds", "jwt_audience_claim", "jwt_username_claim", "jwt_avatar_claim",
    "jwt_role_claim", "jwt_role_map", "score_events", "event_redis_url", "event_nats_url",
}  # fmt: skip


@pytest.fixture
def example() -> dict[str, str]:
    lines = re.findall(r"^# ([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE)
    return {name.lower(): value for name, value in lines}


def test_the_example_names_every_setting_and_no_other(example: dict[str, str]) -> None:
    assert set(example) == set(Settings.model_fields)


def test_the_example_shows_the_defaults(example: dict[str, str]) -> None:
    shown = {name: value for name, value in example.items() if name not in WITHOUT_DEFAULT}
    settings = load_settings(**shown)
    for name in shown:
        assert getattr(settings, name) == Settings.model_fields[name].default, name


def test_the_example_of_thresholds_names_thresholds_with_their_defaults(example: dict[str, str]) -> None:
    assert (
        json.loads(example["fraud_thresholds"]).items()
        <= asdict(Settings.model_fields["fraud_thresholds"].default).items()
    )


def test_the_delivered_proxy_closes_idle_connections_before_the_service_does():
    proxy = (EXAMPLE.parent / "docker" / "nginx" / "nginx.conf").read_text()
    (seconds,) = re.findall(r"^\s*keepalive_timeout (\d+)s;", proxy, re.MULTILINE)
    assert int(seconds) < Settings.model_fields["http_keep_alive"].default
