"""The settings are checked when they are loaded."""

import pytest

from app.config import SettingsError, load_settings


def test_an_unknown_fraud_threshold_is_named_together_with_the_known_ones():
    with pytest.raises(SettingsError) as refused:
        load_settings(fraud_thresholds={"neighbours_flag": 25, "velocity_flag": 30}, _env_file=None)
    (problem,) = refused.value.problems
    assert "FRAUD_THRESHOLDS" in problem
    assert "there is no threshold neighbours_flag" in problem
    assert "accounts_per_address_flag" in problem


def test_known_fraud_thresholds_replace_the_defaults():
    settings = load_settings(fraud_thresholds={"velocity_flag": 31}, _env_file=None)
    assert settings.fraud_thresholds.velocity_flag == 31


PRODUCTION = {
    "environment": "production",
    "database_url": "postgresql+asyncpg://db/leaderboard",
    "redis_url": "redis://cache/0",
    "jwt_secret": "a" * 40,
    "action_token_secret": "b" * 40,
    "_env_file": None,
}


@pytest.mark.parametrize(
    ("setting", "path"),
    [
        ("jwt_jwks_url", "/keys.json"),
        ("verifier_webhook_url", "/completed"),
        ("sentry_dsn", "/1"),
        ("otel_exporter_otlp_endpoint", ""),
    ],
)
def test_in_production_servers_of_others_are_called_by_https(setting: str, path: str):
    for origin in ("http://login.example", "ftp://login.example", "http://127.0.0.1.example", "login.example"):
        with pytest.raises(SettingsError) as refused:
            load_settings(**PRODUCTION, **{setting: origin + path})
        assert any(
            problem.startswith(f"{setting.upper()} must begin with https://") for problem in refused.value.problems
        )
    for origin in ("https://login.example", "http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000"):
        load_settings(**PRODUCTION, **{setting: origin + path})
    load_settings(_env_file=None, **{setting: "http://login.example" + path})


@pytest.mark.parametrize("origin", ["file://", "null", "FILE:///x"])
def test_the_origin_of_local_files_and_sandboxed_pages_cannot_be_allowed(origin: str):
    with pytest.raises(SettingsError) as refused:
        load_settings(allowed_origins=f"https://game.example,{origin}", _env_file=None)
    assert "cannot be allowed" in refused.value.problems[0]
    load_settings(allowed_origins="https://game.example,capacitor://localhost,*", _env_file=None)
