"""The environment and `.env` as a whole: secrets in files, and names that are no settings."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from app.config.settings import Settings
from app.domain.rules.fraud import Thresholds

FILE_SUFFIX = "_FILE"

SETTINGS_IN_FILES = (
    "action_token_secret",
    "action_token_secret_previous",
    "database_direct_url",
    "database_replica_urls",
    "database_url",
    "event_nats_url",
    "event_redis_url",
    "jwt_secret",
    "jwt_secret_previous",
    "metrics_token",
    "redis_url",
    "sentry_dsn",
    "verifier_webhook_secret",
)
"""Settings that may be secret. For each, the variable with the suffix `_FILE` names a file with the value."""

OWN_PREFIXES = (
    "ACTION_TOKEN_", "ALLOWED_", "DATABASE_", "DB_", "EVENT_", "FRAUD_", "JWT_", "LEADERBOARD_", "RATE_LIMIT_",
    "REDIS_", "TRUSTED_", "VERIFIER_", "WEBHOOK_", "WS_",
)  # fmt: skip
"""Variables with these prefixes are most probably meant for the service."""

OTHER_NAMES = {
    "CORS_ALLOWED_ORIGINS": "ALLOWED_ORIGINS",
    "CORS_ORIGINS": "ALLOWED_ORIGINS",
    "JWT_EXPIRATION": "ACCESS_TOKEN_MAX_LIFETIME",
    "JWT_EXPIRES_IN": "ACCESS_TOKEN_MAX_LIFETIME",
    "LOGLEVEL": "LOG_LEVEL",
    "MAX_WEBSOCKET_CONNECTIONS": "WS_MAX_CONNECTIONS",
    "OTEL_ENDPOINT": "OTEL_EXPORTER_OTLP_ENDPOINT",
    "POSTGRES_URL": "DATABASE_URL",
    "TOKEN_SECRET": "ACTION_TOKEN_SECRET",
    "TOKEN_TTL": "TOKEN_EXPIRATION_SECONDS",
}
"""Names that other programs use for what a setting says."""

MIN_SIMILARITY = 0.85
"""How similar, from 0 to 1, a name must be to that of a setting to be taken for a misspelling of it."""

# Kubernetes describes every service of a namespace by such variables, and by NAME_PORT=tcp://address:port.
_OF_KUBERNETES = re.compile(r"_SERVICE_(HOST|PORT)(_|$)|_PORT_[0-9]+_(TCP|UDP)(_|$)")
# The libraries of OpenTelemetry and Sentry read further variables by themselves.
_OF_LIBRARIES = ("OTEL_", "SENTRY_")


def read_environment(env_file: str | os.PathLike[str] | None) -> dict[str, str]:
    """Return all variables of the environment, else of `env_file`, by name in capitals; empty ones are left out."""
    file = dotenv_values(env_file, encoding="utf-8") if env_file is not None else {}
    merged = {name.upper(): value for name, value in file.items()}
    merged |= {name.upper(): value for name, value in os.environ.items() if value}
    return {name: value for name, value in merged.items() if value}


def read_files(environment: Mapping[str, str], overrides: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Return the settings whose values are in files, and the problems with these files.

    Args:
        environment: The variables.
        overrides: Settings that have a value already, whose files are not read.
    """
    values: dict[str, str] = {}
    problems: list[str] = []
    for setting in SETTINGS_IN_FILES:
        name = setting.upper()
        path = environment.get(name + FILE_SUFFIX)
        if path is None or setting in overrides:
            continue
        if name in environment:
            problems.append(f"{name} and {name}{FILE_SUFFIX} must not both be set")
            continue
        try:
            value = Path(path).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            problems.append(f"{name}{FILE_SUFFIX}: {path} cannot be read: {reason}")
            continue
        if value:
            values[setting] = value
        else:
            problems.append(f"{name}{FILE_SUFFIX}: {path} must not be empty")
    return values, problems


def unknown_names(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that look like settings and are none, each with an advice."""
    settings = [name.upper() for name in Settings.model_fields]
    known = {*settings, *(name.upper() + FILE_SUFFIX for name in SETTINGS_IN_FILES)}
    thresholds = {field.name.upper(): field.name for field in fields(Thresholds)}
    found: dict[str, str] = {}
    for name, value in sorted(environment.items()):
        if name in known:
            continue
        if threshold := thresholds.get(name) or thresholds.get(name.removeprefix("FRAUD_")):
            found[name] = f'it is a member of FRAUD_THRESHOLDS, which is JSON: FRAUD_THRESHOLDS={{"{threshold}": …}}'
        elif name in OTHER_NAMES:
            found[name] = f"use {OTHER_NAMES[name]}"
        elif name.startswith(_OF_LIBRARIES) or _OF_KUBERNETES.search(name) or value.startswith(("tcp://", "udp://")):
            continue
        elif nearest := get_close_matches(name, known, 1, MIN_SIMILARITY):
            found[name] = f"did you mean {nearest[0]}?"
        elif name.startswith(OWN_PREFIXES):
            found[name] = "there is no such setting: .env.example lists all of them"
    return found
