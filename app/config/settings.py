"""The settings, and what must be the case for each of them and for all together."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from enum import StrEnum
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.config.urls import host_problem, http_url_problem, origin_problem, redis_url_problem, sentry_dsn_problem
from app.domain.addresses import UNIX_SOCKET, is_encrypted_or_local
from app.domain.events.event import FREQUENT_TYPES, EventType
from app.domain.events.score_filter import ScoreFilter, score_filters_of
from app.domain.identity.issuers import (
    DEFAULT_AUDIENCE,
    DEFAULT_ISSUER,
    DISCOVER,
    SECRET,
    Issuer,
    IssuerProblems,
    IssuerSettings,
    issuers_of,
)
from app.domain.rules.fraud import Thresholds
from app.domain.scores import MAX_SCORE
from app.domain.users import Role, SubjectIds
from app.postgresql.url import parse_database_url

MIN_SECRET_BYTES = 32
DEVELOPMENT_JWT_SECRET = "development-only-access-token-secret-0001"
DEVELOPMENT_ACTION_SECRET = "development-only-action-token-secret-0002"

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

NO_EVENTS = "none"
"""What is in the setting EVENT_TYPES if no events are recorded."""

WordList = Annotated[tuple[str, ...], NoDecode]
"""A setting that is a list of words separated by commas."""

UrlList = Annotated[tuple[str, ...], NoDecode]
"""A setting that is a list of URLs separated by commas or spaces; a comma within a URL separates its hosts."""


class Environment(StrEnum):
    """Where the service runs. Production refuses weak secrets, introspection and the IDE."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class DocumentMode(StrEnum):
    """What is done with a document that is not in the manifest of trusted documents."""

    OFF = "off"
    LOG = "log"
    ENFORCE = "enforce"


class Settings(BaseSettings):
    """Every setting of the service. Times are in seconds, sizes in bytes, unless a name says otherwise."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        env_ignore_empty=True,  # Compose files and templates set names to nothing.
        extra="ignore",
        frozen=True,
    )

    environment: Environment = Environment.DEVELOPMENT
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    workers: int = Field(1, ge=1, le=64)
    log_level: str = "INFO"
    log_submissions: float = Field(1, ge=0, le=1)
    log_slow_statements: float = Field(1, ge=0)

    database_url: str | None = None
    database_direct_url: str | None = None
    database_replica_urls: UrlList = ()
    replica_max_lag: float = Field(3, gt=0)
    db_pool_min: int = Field(10, ge=1)
    db_pool_max: int = Field(50, ge=1)
    db_timeout: float = Field(5.0, gt=0)
    db_expensive_pool_max: int = Field(4, ge=1)
    db_expensive_timeout: float = Field(2.0, gt=0)
    start_timeout: float = Field(60, ge=0)
    max_clock_skew: float = Field(10, gt=0)
    redis_url: str | None = None
    redis_cluster_enabled: bool = False
    redis_prefix: str = Field("lb", pattern=r"^[A-Za-z0-9_.-]{1,40}$")
    redis_timeout: float = Field(0.25, gt=0)

    jwt_secret: SecretStr = SecretStr(DEVELOPMENT_JWT_SECRET)
    jwt_secret_previous: SecretStr | None = None
    jwt_preset: str = ""
    jwt_issuer: str = DEFAULT_ISSUER
    jwt_audience: str = DEFAULT_AUDIENCE
    jwt_jwks_url: str | None = None
    jwt_audience_claim: WordList = ()
    jwt_username_claim: WordList = ()
    jwt_avatar_claim: WordList = ()
    jwt_role_claim: WordList = ()
    jwt_role_map: Annotated[dict[str, Role], NoDecode] = Field(default_factory=dict)
    jwt_clock_skew: float = Field(10, ge=0, le=300)
    access_token_max_lifetime: int = Field(86_400, ge=60, le=31_536_000)
    action_token_secret: SecretStr = SecretStr(DEVELOPMENT_ACTION_SECRET)
    action_token_secret_previous: SecretStr | None = None
    token_expiration_seconds: int = Field(300, ge=1, le=86_400)
    max_open_tokens: int = Field(20, ge=1)
    auto_provision: bool = True
    subject_is_user_id: bool = False
    signing_session_seconds: int = Field(86_400, ge=60)
    max_signing_sessions: int = Field(5, ge=1)

    completion_verifiers: Annotated[dict[str, str], NoDecode] = Field(default_factory=dict)
    verifier_webhook_url: str | None = None
    verifier_webhook_secret: SecretStr | None = None
    verifier_timeout: float = Field(2.0, gt=0)
    spot_check_rate: float = Field(0.1, ge=0, le=1)
    fraud_enabled: bool = True
    fraud_thresholds: Annotated[Thresholds, NoDecode] = Thresholds()

    score_cap: int = Field(1_000_000, ge=1, le=MAX_SCORE)
    max_points_per_action: int = Field(100, ge=1, le=MAX_SCORE)
    address_retention_days: int = Field(30, ge=1, le=3650)
    request_key_retention_days: int = Field(90, ge=2, le=3650)
    flag_retention_days: int = Field(365, ge=1, le=36_500)
    transaction_retention_months: int = Field(0, ge=0, le=1200)
    group_commit: bool = True
    group_commit_size: int = Field(32, ge=1, le=1000)

    event_types: Annotated[tuple[EventType, ...], NoDecode] = tuple(sorted(set(EventType) - FREQUENT_TYPES))
    score_events: Annotated[dict[str, ScoreFilter], NoDecode] = Field(default_factory=dict)
    event_source: str = Field("/leaderboard", pattern=r"^[!-~]{1,200}$")
    event_retention_days: int = Field(7, ge=4, le=90)
    event_redis_url: str | None = None
    event_redis_stream: str = Field("leaderboard:events", pattern=r"^[!-~]{1,200}$")
    event_redis_max_length: int = Field(1_000_000, ge=1000)
    event_nats_url: str | None = None
    event_nats_subject: str = Field("leaderboard", pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")
    webhook_timeout: float = Field(10, gt=0, le=60)
    webhook_private_networks: WordList = ()

    rate_limit_enabled: bool = True
    rate_limit_issue_per_user: int = Field(60, ge=1)
    rate_limit_submit_per_user: int = Field(10, ge=1)
    rate_limit_query_per_user: int = Field(120, ge=1)
    rate_limit_issue_per_address: int = Field(300, ge=1)
    rate_limit_submit_per_address: int = Field(150, ge=1)
    rate_limit_query_per_address: int = Field(3000, ge=1)
    rate_limit_anonymous_per_address: int = Field(100, ge=1)
    rate_limit_refused_per_address: int = Field(100, ge=1)
    rate_limit_network_factor: int = Field(16, ge=1, le=65_536)
    rate_limit_connections_per_address: int = Field(600, ge=1)
    rate_limit_global_per_second: int = Field(10_000, ge=1)
    rate_limit_block_overruns: int = Field(100, ge=1)
    rate_limit_block_seconds: int = Field(300, ge=1, le=86_400)
    rate_limit_refusal_delay: float = Field(1.0, ge=0, le=10)
    max_running_operations: int = Field(1000, ge=1)
    max_running_operations_per_user: int = Field(20, ge=1)
    max_running_operations_per_address: int = Field(100, ge=1)
    max_lookups_per_operation: int = Field(1000, ge=1)
    max_lookups_per_change: int = Field(200, ge=1)

    max_views: int = Field(20_000, ge=1)
    max_views_per_address: int = Field(1000, ge=1)
    max_views_per_user: int = Field(60, ge=1)
    max_lookups_per_board: int = Field(20_000, ge=1)

    max_streams: int = Field(1000, ge=1)
    max_streams_per_address: int = Field(200, ge=1)
    ws_max_connections: int = Field(10_000, ge=1)
    ws_max_connections_per_address: int = Field(200, ge=1)
    ws_max_connections_per_user: int = Field(3, ge=1)
    ws_max_operations: int = Field(20, ge=1)
    ws_heartbeat_interval: float = Field(30, gt=0)
    ws_heartbeat_timeout: float = Field(10, gt=0)
    ws_idle_timeout: float = Field(300, gt=0)
    ws_init_timeout: float = Field(5, gt=0)
    anonymous_subscriptions: bool = True

    allowed_origins: WordList = ()
    allowed_hosts: WordList = ("localhost", "127.0.0.1", "[::1]")
    trusted_proxies: WordList = ()
    trusted_documents_file: str | None = None
    trusted_documents_mode: DocumentMode = DocumentMode.OFF
    persisted_documents_max_bytes: int = Field(16_777_216, ge=65_536)
    max_body_size: int = Field(65_536, ge=1024)
    request_timeout: float = Field(15, gt=0)
    http_keep_alive: int = Field(75, ge=1)
    compile_operations: bool = True
    request_head_cache: bool = True
    response_cache_bytes: int = Field(16_777_216, ge=0)
    past_cache_bytes: int = Field(8_388_608, ge=1)

    metrics_token: SecretStr | None = None
    sentry_dsn: SecretStr | None = None
    otel_exporter_otlp_endpoint: str | None = None

    @field_validator(
        "allowed_origins",
        "allowed_hosts",
        "trusted_proxies",
        "webhook_private_networks",
        "jwt_audience_claim",
        "jwt_username_claim",
        "jwt_avatar_claim",
        "jwt_role_claim",
        mode="before",
    )
    @classmethod
    def _split(cls, raw: object) -> object:
        return _words(raw) if isinstance(raw, str) else raw

    @field_validator("database_replica_urls", mode="before")
    @classmethod
    def _split_urls(cls, raw: object) -> object:
        return (
            tuple(re.split(r"[,\s]+(?=[a-z+]+://)", raw.strip(", ")) if raw.strip(", ") else ())
            if isinstance(raw, str)
            else raw
        )

    @field_validator("database_url", "database_direct_url", "database_replica_urls")
    @classmethod
    def _database_urls(cls, given: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for url in (given,) if isinstance(given, str) else given or ():
            parse_database_url(url)
        return given

    @field_validator("fraud_thresholds", mode="before")
    @classmethod
    def _known_thresholds(cls, given: object) -> object:
        if isinstance(given, dict):
            known = {field.name for field in fields(Thresholds)}
            if unknown := sorted(set(given) - known):
                raise ValueError(
                    f"there is no threshold {', '.join(unknown)}: it must be one of {', '.join(sorted(known))}"
                )
        return given

    @field_validator("event_types", mode="before")
    @classmethod
    def _event_types(cls, raw: object) -> object:
        # An empty variable counts as not set.
        return () if raw == NO_EVENTS else _words(raw) if isinstance(raw, str) else raw

    @field_validator("score_events", mode="before")
    @classmethod
    def _score_filters(cls, given: object) -> object:
        return score_filters_of(given) if isinstance(given, dict) else given

    @field_validator("jwt_role_map", "completion_verifiers", "fraud_thresholds", "score_events", mode="before")
    @classmethod
    # Validators of this mode run in reverse order, so this one precedes those of the names of members.
    def _json_object(cls, raw: object) -> object:
        if not isinstance(raw, str):
            return raw
        try:
            members = json.loads(raw)
        except ValueError:
            members = None
        if not isinstance(members, dict):
            raise ValueError('must be a JSON object, such as {"name": "value"}')
        return members

    @field_validator("redis_url", "event_redis_url")
    @classmethod
    def _redis_servers(cls, url: str | None) -> str | None:
        if url is not None and (problem := redis_url_problem(url)):
            raise ValueError(problem)
        return url

    @field_validator("trusted_proxies", "webhook_private_networks")
    @classmethod
    def _networks(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        for word in words:
            if word != UNIX_SOCKET:
                ip_network(word, strict=False)
        return words

    @field_validator("allowed_origins", "allowed_hosts")
    @classmethod
    def _names(cls, words: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        problem_of = origin_problem if info.field_name == "allowed_origins" else host_problem
        if problems := [problem for word in words if (problem := problem_of(word))]:
            raise ValueError("\n".join(problems))
        return words

    @field_validator("verifier_webhook_url", "otel_exporter_otlp_endpoint")
    @classmethod
    def _http_urls(cls, url: str | None) -> str | None:
        if url and (problem := http_url_problem(url)):
            raise ValueError(problem)
        return url

    @field_validator("jwt_jwks_url")
    @classmethod
    def _key_sets(cls, places: str | None) -> str | None:
        for place in _words(places or ""):
            if place not in (DISCOVER, SECRET) and (problem := http_url_problem(place)):
                raise ValueError(f"{problem}, `{DISCOVER}` or `{SECRET}`")
        return places

    @field_validator("sentry_dsn")
    @classmethod
    def _dsn(cls, dsn: SecretStr | None) -> SecretStr | None:
        if dsn and (problem := sentry_dsn_problem(dsn.get_secret_value())):
            raise ValueError(problem)
        return dsn

    @field_validator("log_level")
    @classmethod
    def _level(cls, level: str) -> str:
        if level.upper() not in LOG_LEVELS:
            raise ValueError(f"must be one of {', '.join(LOG_LEVELS)}")
        return level.upper()

    @field_validator("trusted_documents_file")
    @classmethod
    def _readable(cls, path: str | None) -> str | None:
        if path and not Path(path).is_file():
            raise ValueError(f"must be a file, and {path} is none")
        return path

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        problems = list(self._contradictions())
        if self.is_production:
            problems += [
                f"{name.upper()} must be set in production"
                for name in ("database_url", "redis_url")
                if not getattr(self, name)
            ]
        try:
            issuers = self.issuers
        except IssuerProblems as error:
            problems += error.problems
        else:
            problems += self._insecure_urls(issuers)
            problems += self._weak_secrets(issuers)
            if self.subject_is_user_id and len(issuers) > 1:
                problems.append(
                    "SUBJECT_IS_USER_ID must not be set with several issuers in JWT_ISSUER: equal subjects of two "
                    "issuers would be one user"
                )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @cached_property
    def is_production(self) -> bool:
        """Whether the service runs in production."""
        return self.environment is Environment.PRODUCTION

    @property
    def secret_texts(self) -> list[str]:
        """The texts that must not appear in logs: secrets, and passwords in URLs."""
        values = [getattr(self, name) for name in type(self).model_fields]
        secrets = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
        urls = [self.database_url, self.database_direct_url, self.redis_url, self.event_redis_url, self.event_nats_url]
        urls += self.database_replica_urls
        passwords = [password for url in urls if url and (password := urlsplit(url).password)]
        return [*secrets, *passwords, *map(unquote, passwords)]

    @property
    def issuers(self) -> tuple[Issuer, ...]:
        """The accepted issuers of access tokens. Raises IssuerProblems before the settings are known to be valid."""
        is_default = self.model_fields_set.isdisjoint
        return issuers_of(
            IssuerSettings(
                issuers=() if is_default(("jwt_issuer",)) else _words(self.jwt_issuer),
                presets=_words(self.jwt_preset),
                key_places=_words(self.jwt_jwks_url or ""),
                audiences=() if is_default(("jwt_audience",)) else _words(self.jwt_audience),
                audience_claims=self.jwt_audience_claim,
                username_claims=self.jwt_username_claim,
                avatar_claims=self.jwt_avatar_claim,
                role_claims=self.jwt_role_claim,
                roles=self.jwt_role_map,
                has_secret=self.jwt_secret.get_secret_value() != DEVELOPMENT_JWT_SECRET,
            )
        )

    @property
    def own_issuer(self) -> Issuer | None:
        """The issuer whose tokens are signed with JWT_SECRET; None if all issuers sign with keys of their own."""
        return next((issuer for issuer in self.issuers if issuer.keys == SECRET), None)

    @property
    def subject_ids(self) -> SubjectIds:
        """The user ids of subjects without an issuer: they are those of the first issuer."""
        return self.issuers[0].subject_ids(subject_is_user_id=self.subject_is_user_id)

    def _contradictions(self) -> list[str]:
        problems = []
        if self.db_pool_min > self.db_pool_max:
            problems.append("DB_POOL_MIN must not be larger than DB_POOL_MAX")
        if self.redis_cluster_enabled and "+sentinel" in (self.redis_url or ""):
            problems.append("REDIS_URL must name nodes of the cluster: with REDIS_CLUSTER_ENABLED there is no Sentinel")
        # A month may have 28 days. The first receipt of a repeat must be in the database as long as its key is.
        months = self.transaction_retention_months
        if months and months * 28 < max(self.request_key_retention_days, self.address_retention_days):
            problems.append(
                "TRANSACTION_RETENTION_MONTHS must be at least as long as REQUEST_KEY_RETENTION_DAYS and "
                "ADDRESS_RETENTION_DAYS"
            )
        if self.trusted_documents_mode is not DocumentMode.OFF and not self.trusted_documents_file:
            problems.append("TRUSTED_DOCUMENTS_FILE must be set when TRUSTED_DOCUMENTS_MODE is not `off`")
        return problems

    def _insecure_urls(self, issuers: tuple[Issuer, ...]) -> list[str]:
        """Return which servers of others would be called without encryption in production.

        The server that answers with the key set can sign in as any user, and the one that answers the webhook decides
        which completions are accepted. An agent on the same machine may be called by HTTP.
        """
        if not self.is_production:
            return []
        called = [("jwt_jwks_url", issuer.keys) for issuer in issuers if issuer.keys not in (SECRET, DISCOVER)]
        called += [("jwt_issuer", issuer.name) for issuer in issuers if issuer.keys == DISCOVER]
        for name in ("verifier_webhook_url", "sentry_dsn", "otel_exporter_otlp_endpoint"):
            value = getattr(self, name)
            if value:
                called.append((name, value.get_secret_value() if isinstance(value, SecretStr) else value))
        return [
            f"{name.upper()} must begin with https:// in production, except for this machine"
            for name, url in called
            if not is_encrypted_or_local(url)
        ]

    def _weak_secrets(self, issuers: tuple[Issuer, ...]) -> list[str]:
        """Return why secrets must not be used. Signing secrets must be long enough in development too."""
        problems = []
        seen: dict[str, str] = {}
        signs_access_tokens = any(issuer.keys == SECRET for issuer in issuers)
        names = (
            "jwt_secret",
            "jwt_secret_previous",
            "action_token_secret",
            "action_token_secret_previous",
            "verifier_webhook_secret",
            "metrics_token",
        )
        signs = {*names} - {"verifier_webhook_secret", "metrics_token"}
        for name in names:
            secret: SecretStr | None = getattr(self, name)
            if secret is None or (name.startswith("jwt") and not signs_access_tokens):
                continue
            text, label = secret.get_secret_value(), name.upper()
            if len(text.encode()) < MIN_SECRET_BYTES and (self.is_production or name in signs):
                problems.append(f"{label} must be at least {MIN_SECRET_BYTES} bytes long")
            if not self.is_production:
                continue
            if text in (DEVELOPMENT_JWT_SECRET, DEVELOPMENT_ACTION_SECRET):
                problems.append(f"{label} must be set in production: the development default is not allowed")
            if text in seen:
                problems.append(f"{label} must differ from {seen[text]}")
            seen[text] = label
        return problems


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
