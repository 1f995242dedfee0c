"""The settings are checked when they are loaded."""

from pathlib import Path

import pytest

from app.config import Settings, SettingsError, load_settings
from app.config.environment import SETTINGS_IN_FILES, unknown_names
from app.transport.middleware.client_address import TrustedProxies


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
        ("redis://:hunter2@:6379", "host of each server"),
        ("redis://localhost:port", "as the port"),
        ("redis://localhost:99999", "as the port"),
        ("redis://localhost/first", "number as its database"),
        ("redis://one:6379,:6380", "host of each server"),
        ("redis+sentinel://one:26379,two:26379", "must name the master"),
        ("redis+sentinel://one/mymaster/first", "number as its database"),
        ("unix://", "path of a socket"),
        ("redis://localhost?ssl_ca_certs=/ca.pem", "must begin with rediss://"),
        ("rediss://localhost?ssl_ca_certs=/nowhere", "ssl_ca_certs must be a readable file, and /nowhere is none"),
        ("rediss://localhost?sslmode=require", "the parameter sslmode is not supported"),
    ],
)
def test_a_redis_url_that_cannot_be_used_is_refused_in_one_line(url: str, problem: str):
    with pytest.raises(SettingsError) as error:
        load_settings(redis_url=url, _env_file=None)
    (line,) = error.value.problems
    assert line.startswith("REDIS_URL: ")
    assert problem in line
    assert "hunter2" not in line


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "rediss://user:p%40ss@redis.example.org:6380/3",
        "rediss://one?ssl_ca_certs=/etc/hostname&ssl_check_hostname=false",
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
        ("sentry_dsn", "/1"),  # With a key: see below.
        ("otel_exporter_otlp_endpoint", ""),
    ],
)
def test_in_production_servers_of_others_are_called_by_https(setting: str, path: str):
    def url(origin: str) -> str:
        return (origin.replace("://", "://key@") if setting == "sentry_dsn" else origin) + path

    for origin in ("http://login.example", "http://127.0.0.1.example"):
        with pytest.raises(SettingsError) as refused:
            load_settings(**PRODUCTION, **{setting: url(origin)})
        assert any(
            problem.startswith(f"{setting.upper()} must begin with https://") for problem in refused.value.problems
        )
    for origin in ("https://login.example", "http://127.0.0.1:9000", "http://localhost:9000", "http://[::1]:9000"):
        load_settings(**PRODUCTION, **{setting: url(origin)})
    load_settings(_env_file=None, **{setting: url("http://login.example")})


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("jwt_jwks_url", "ftp://login.example/keys"),
        ("jwt_jwks_url", "login.example/keys"),
        ("verifier_webhook_url", "http://[::1/completed"),
        ("verifier_webhook_url", "https:///completed"),
        ("otel_exporter_otlp_endpoint", "http://collector:port"),
        ("otel_exporter_otlp_endpoint", "collector:4318"),
        ("sentry_dsn", "https://sentry.example/1"),
        ("sentry_dsn", "https://key@sentry.example"),
        ("log_level", "verbose"),
        ("trusted_documents_file", "/no/such/manifest.json"),
        ("allowed_origins", "game.example"),
        ("allowed_origins", "https://game.example/play"),
        ("allowed_origins", "https://game.example,https://"),
        ("allowed_hosts", "https://game.example"),
        ("allowed_hosts", "game.example:8000"),
        ("database_replica_urls", "mysql://db/leaderboard"),
        ("trusted_proxies", "proxy"),
    ],
)
def test_a_value_that_could_have_no_effect_is_refused_in_one_line(setting: str, value: str):
    with pytest.raises(SettingsError) as refused:
        load_settings(**{setting: value}, _env_file=None)
    (line,) = refused.value.problems
    assert line.startswith(f"{setting.upper()}: ")


def test_every_form_of_an_origin_and_of_a_host_is_accepted():
    origins = "https://game.example,http://localhost:3000,https://[::1]:8443,capacitor://localhost,https://a.example/"
    load_settings(allowed_origins=origins, allowed_hosts="*.game.example,[::1],10.0.0.1,*", _env_file=None)


def test_proxies_are_addresses_networks_and_those_behind_a_unix_socket():
    settings = load_settings(trusted_proxies="10.0.0.0/8,192.0.2.1,unix", _env_file=None)
    assert TrustedProxies.of(settings.trusted_proxies).unix_socket


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


def test_a_secret_and_a_url_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name, value in (("JWT_SECRET", "s" * 40), ("DATABASE_URL", "postgresql://db/leaderboard")):
        (tmp_path / name).write_text(value + "\n")
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    settings = load_settings(_env_file=None)
    assert settings.jwt_secret.get_secret_value() == "s" * 40
    assert settings.database_url == "postgresql://db/leaderboard"
    assert load_settings(database_url="postgresql://other/leaderboard", _env_file=None).database_url == (
        "postgresql://other/leaderboard"
    )


def test_every_secret_may_be_in_a_file():
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert secret <= set(SETTINGS_IN_FILES)


def test_all_problems_with_files_and_values_are_in_one_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "short").write_text("short")
    monkeypatch.setenv("REDIS_URL_FILE", str(tmp_path / "missing"))
    monkeypatch.setenv("SENTRY_DSN_FILE", str(tmp_path / "empty"))
    monkeypatch.setenv("JWT_SECRET_FILE", str(tmp_path / "short"))
    monkeypatch.setenv("ACTION_TOKEN_SECRET", "a" * 40)
    monkeypatch.setenv("ACTION_TOKEN_SECRET_FILE", str(tmp_path / "short"))
    monkeypatch.setenv("LOG_LEVEL", "loud")
    with pytest.raises(SettingsError) as refused:
        load_settings({"database_url": "must be set", "redis_url": "must be set"}, _env_file=None)
    assert refused.value.problems == [
        "ACTION_TOKEN_SECRET and ACTION_TOKEN_SECRET_FILE must not both be set",
        f"REDIS_URL_FILE: {tmp_path}/missing cannot be read: No such file or directory",
        f"SENTRY_DSN_FILE: {tmp_path}/empty must not be empty",
        "LOG_LEVEL: must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL",
        "JWT_SECRET must be at least 32 bytes long",
        "DATABASE_URL must be set",
    ]


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("RATE_LIMIT_SUBMIT_PER_ADRESS", "RATE_LIMIT_SUBMIT_PER_ADDRESS"),
        ("DATABSE_URL", "DATABASE_URL"),
        ("JWT_SECERT", "JWT_SECRET"),
        ("LOG_LEVL", "LOG_LEVEL"),
        ("WS_MAX_CONECTIONS", "WS_MAX_CONNECTIONS"),
        ("REDIS_URL_FLE", "REDIS_URL_FILE"),
        ("VELOCITY_FLAG", 'FRAUD_THRESHOLDS={"velocity_flag"'),
        ("FRAUD_VELOCITY_FLAG", 'FRAUD_THRESHOLDS={"velocity_flag"'),
        ("RATE_LIMIT_WINDOW", "there is no such setting"),
        ("CORS_ORIGINS", "ALLOWED_ORIGINS"),
        ("DB_HOST", "there is no such setting"),
        ("REDIS_PORT", "there is no such setting"),
    ],
)
def test_a_variable_that_looks_like_a_setting_is_pointed_out(name: str, advice: str):
    found = unknown_names({name: "1"})
    assert list(found) == [name]
    assert advice in found[name]


def test_variables_of_others_are_none_of_our_business():
    others = {
        "HOSTNAME": "a", "HOME": "/", "PATH": "/bin", "LANG": "C", "PGPASSWORD": "x", "POSTGRES_PASSWORD": "x",
        "REDIS_PORT": "tcp://10.0.0.1:6379", "REDIS_SERVICE_HOST": "10.0.0.1", "REDIS_SERVICE_PORT": "6379",
        "REDIS_PORT_6379_TCP_ADDR": "10.0.0.1",
        "OTEL_EXPORTER_OTLP_HEADERS": "a=b", "SENTRY_ENVIRONMENT": "eu", "PYTHONPATH": ".", "TERM": "x",
    }  # fmt: skip
    assert unknown_names(others | {name.upper(): "x" for name in Settings.model_fields}) == {}
