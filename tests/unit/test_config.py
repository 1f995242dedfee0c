"""The settings are checked when they are loaded."""

from pathlib import Path

import pytest

from app.config import Settings, SettingsError, load_settings


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


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("localhost:6379", "must begin with one of redis://"),
        ("http://localhost", "must begin with one of redis://"),
        ("redis://", "host of each server"),
        ("redis://:password@:6379", "host of each server"),
        ("redis://localhost:port", "as the port"),
        ("redis://localhost:99999", "as the port"),
        ("redis://localhost/first", "number as its database"),
        ("redis://one:6379,:6380", "host of each server"),
        ("redis+sentinel://one:26379,two:26379", "must name the master"),
        ("redis+sentinel://one/mymaster/first", "number as its database"),
        ("unix://", "path of a socket"),
    ],
)
def test_a_redis_url_that_names_no_server_is_refused_in_one_line(url: str, problem: str):
    with pytest.raises(SettingsError) as error:
        load_settings(redis_url=url, _env_file=None)
    (line,) = error.value.problems
    assert line.startswith("REDIS_URL: ")
    assert problem in line
    assert "password" not in line


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "rediss://user:p%40ss@redis.example.org:6380/3",
        "redis://[::1]:6379/0",
        "redis://:word@one:6379,two:6379",
        "unix:///run/redis.sock",
        "redis+sentinel://:word@one,two:26380/mymaster/1?sentinel_password=other",
    ],
)
def test_every_form_of_a_redis_url_is_accepted(url: str):
    assert load_settings(redis_url=url, _env_file=None).redis_url == url


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


def test_an_empty_value_of_any_setting_is_its_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    defaults = load_settings(_env_file=None)
    names = [name.upper() for name in Settings.model_fields]
    for name in names:
        monkeypatch.setenv(name, "")
    assert load_settings(_env_file=None) == defaults
    for name in names:
        monkeypatch.delenv(name)
    file = tmp_path / ".env"
    file.write_text("".join(f"{name}=\n" for name in names))
    assert load_settings(_env_file=file) == defaults


def test_several_issuers_and_their_subjects_as_user_ids_contradict_each_other():
    with pytest.raises(SettingsError) as refused:
        load_settings(jwt_issuer="https://one.example,https://two.example", subject_is_user_id=True, _env_file=None)
    assert "SUBJECT_IS_USER_ID must not be set with several issuers" in refused.value.problems[0]


@pytest.mark.parametrize("role_map", ['{"chief": "king"}', "chief=moderator", '["chief"]'])
def test_a_mapping_of_roles_has_our_roles_as_values(monkeypatch: pytest.MonkeyPatch, role_map: str):
    monkeypatch.setenv("JWT_ROLE_MAP", role_map)
    with pytest.raises(SettingsError) as refused:
        load_settings(_env_file=None)
    assert "JWT_ROLE_MAP" in refused.value.problems[0]


def test_in_production_issuers_are_discovered_by_https_and_need_no_secret():
    without_secret = {name: value for name, value in PRODUCTION.items() if name != "jwt_secret"}
    load_settings(**without_secret, jwt_issuer="https://login.example")
    with pytest.raises(SettingsError) as refused:
        load_settings(**without_secret, jwt_issuer="http://login.example")
    assert "JWT_ISSUER must begin with https:// in production" in refused.value.problems[0]
    with pytest.raises(SettingsError, match="JWT_SECRET must be set in production"):
        load_settings(**without_secret)
    with pytest.raises(SettingsError, match="JWT_SECRET must be set in production"):
        load_settings(**without_secret, jwt_issuer="https://login.example,own", jwt_jwks_url="discover,secret")
