"""URLs of PostgreSQL are understood as providers write them, or refused in one line."""

from pathlib import Path

import pytest

from app.config import SettingsError, load_settings
from app.postgresql.url import InvalidDatabaseUrl, parse_database_url


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_every_usual_scheme_is_understood(scheme: str):
    url = parse_database_url(f"{scheme}://ada:secret@db.example:6432/board")
    assert (url.hosts, url.user, url.password, url.database) == ((("db.example", 6432),), "ada", "secret", "board")
    assert url.target == "any"


def test_what_is_missing_has_libpqs_default():
    url = parse_database_url("postgresql://")
    assert (url.hosts, url.user, url.password, url.database) == ((("localhost", 5432),), None, None, None)


def test_escaped_characters_are_decoded_and_others_kept():
    url = parse_database_url("postgresql://a%40b:p%2Fw%3F%40#&=@h/b%20c")
    assert (url.user, url.password, url.database) == ("a@b", "p/w?@#&=", "b c")


def test_with_several_hosts_the_one_that_accepts_writes_is_used():
    url = parse_database_url("postgresql://u@h1:5433,h2,[::1]:5434/d")
    assert url.hosts == (("h1", 5433), ("h2", 5432), ("::1", 5434))
    assert url.target == "read-write"
    assert url.label == "h1:5433,h2:5432,::1:5434"


def test_hosts_and_ports_may_be_parameters():
    assert parse_database_url("postgresql:///d?host=/run/postgresql").hosts == (("/run/postgresql", 5432),)
    assert parse_database_url("postgresql:///d?host=a,b&port=1,2").hosts == (("a", 1), ("b", 2))
    assert parse_database_url("postgresql://u@a,b/d?target_session_attrs=any").target == "any"


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require"])
def test_the_modes_of_tls_are_passed_on(mode: str):
    assert parse_database_url(f"postgresql://h/d?sslmode={mode}").arguments("h", 1)["dsn"].endswith(f"sslmode={mode}")


def test_the_driver_writes_sslmode_as_ssl():
    assert parse_database_url("postgresql+asyncpg://h/d?ssl=require").tls == (("sslmode", "require"),)


def test_certificates_are_checked_with_a_file_or_with_those_of_the_system(tmp_path: Path):
    file = tmp_path / "root.crt"
    file.touch()
    url = parse_database_url(f"postgresql://h/d?sslmode=verify-full&sslrootcert={file}")
    assert dict(url.tls) == {"sslmode": "verify-full", "sslrootcert": str(file)}
    system = parse_database_url("postgresql://h/d?sslmode=verify-full&sslrootcert=system")
    assert system.arguments("h", 1)["ssl"].check_hostname


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://u:secret@h/d", "must begin with postgresql://"),
        ("h/d", "must have the form"),
        ("postgresql://u:sec/ret@h/d", "%2F"),
        ("postgresql://u:sec@ret@h/d", "%40"),
        ("postgresql://h:99999/d", "between 1 and 65535"),
        ("postgresql://h:abc/d", "host:port"),
        ("postgresql://h1,,h2/d", "host:port"),
        ("postgresql:///d?host=a,b&port=1,2,3", "port must be one number"),
        ("postgresql://h/d?sslmode=on", "sslmode must be one of disable"),
        ("postgresql://h/d?sslmode=verify-full", "needs sslrootcert"),
        ("postgresql://h/d?sslmode=verify-full&sslrootcert=/nowhere", "/nowhere is none"),
        ("postgresql://h/d?sslmode=require&sslrootcert=system", "must be verify-full"),
        ("postgresql://h/d?sslcert=/nowhere", "must be a readable file"),
        ("postgresql://h/d?target_session_attrs=primary-ish", "must be one of any"),
        ("postgresql://h/d?channel_binding=require", "remove it"),
        ("postgresql://h/d?connect_timeout=3", "DB_TIMEOUT"),
        ("postgresql://h/d?options=-cjit%3Doff", "ALTER ROLE"),
        ("postgresql://h/d?pool_size=3", "pool_size is not supported"),
        ("postgresql://h/d?sslmode", "name=value"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line_without_the_password(
    url: str, reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(InvalidDatabaseUrl) as refused:
        parse_database_url(url)
    message = str(refused.value)
    assert reason in message
    assert "\n" not in message
    assert "sec" not in message.replace("security", "")


@pytest.mark.parametrize("name", ["database_url", "database_direct_url", "database_replica_urls"])
def test_every_setting_with_a_url_is_checked_at_the_start(name: str):
    with pytest.raises(SettingsError) as refused:
        load_settings(**{name: "postgresql://u:secret@h/d?sslmode=on"}, _env_file=None)
    assert refused.value.problems == [
        f"{name.upper()}: sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full"
    ]
