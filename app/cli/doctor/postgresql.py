"""Checks of PostgreSQL and its replicas."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import text as sql

from app.cli.doctor.findings import Check, Finding, ok, problem, warning
from app.cli.doctor.settings import postgres_connections
from app.config import Settings
from app.models.advisory_locks import AdvisoryLock
from app.models.revisions import UnknownRevision, fetch_revisions
from app.runtime import Runtime
from app.stores.postgres import Database
from app.stores.replicas import Replicas
from app.stores.server_clock import MAX_UNREPORTED_SKEW, ServerClock

MIN_VERSION = 140_000
"""The oldest version of PostgreSQL, as `server_version_num`."""

_FACTS = sql(
    """
    SELECT current_setting('server_version') AS version,
        current_setting('server_version_num')::int AS version_number,
        pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool AS is_read_only,
        current_setting('fsync')::bool AS fsync,
        current_setting('synchronous_commit') AS synchronous_commit,
        current_setting('autovacuum')::bool AS autovacuum,
        coalesce((SELECT rolsuper FROM pg_roles WHERE rolname = current_user), false) AS is_superuser
    """
)
_CONNECTIONS = sql(
    """
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
            - coalesce(current_setting('reserved_connections', true)::int, 0) AS available,
        (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS of_role
    """
)
_BACKUPS = sql(
    """
    SELECT kind, failed_at > coalesce(succeeded_at, '-infinity') AS has_failed, now() - succeeded_at AS age
    FROM backups ORDER BY kind
    """
)
MAX_BACKUP_AGE = timedelta(hours=26)
"""The age of the last backup after which the alert BackupOverdue fires, too."""
_LOCK = sql("SELECT pg_advisory_xact_lock(:key)")
_TRY_LOCK = sql("SELECT pg_try_advisory_xact_lock(:key)")


class PostgresChecks:
    """Checks by the connections of the service."""

    def __init__(self, settings: Settings, database: Database, replicas: Replicas, runtime: Runtime) -> None:
        self._settings = settings
        self._database = database
        self._replicas = replicas
        self._runtime = runtime

    def all(self) -> list[Check]:
        """Return the checks, in their order."""
        advice = "check DATABASE_URL, the network and the server"
        checks = [
            Check("PostgreSQL", self.server, advice),
            Check("migrations", self.migrations, advice),
            Check("PostgreSQL connections", self.connections, advice),
            Check("clock of PostgreSQL", self.clock, advice),
            Check("advisory locks", self.advisory_locks, advice),
        ]
        if self._settings.is_production:
            checks.append(Check("backups", self.backups, advice))
        if self._replicas.all:
            checks.append(Check("replicas", self.lag, "check DATABASE_REPLICA_URLS"))
        return checks

    async def server(self) -> Iterable[Finding]:
        """Check the version, whether it accepts writes, and whether commits are durable."""
        check = "PostgreSQL"
        async with self._database.connect() as connection:
            facts = (await connection.execute(_FACTS)).one()
        if facts.version_number < MIN_VERSION:
            return [problem(check, f"version {facts.version} is too old", "upgrade to PostgreSQL 14 or newer")]
        pooler = ", through a pooler" if self._database.has_pooler else ""
        found = [ok(check, f"version {facts.version} at {self._database.label}{pooler}")]
        if facts.is_read_only:
            found.append(problem(check, "it is read-only: nothing can be submitted", "use the primary in DATABASE_URL"))
        for setting, is_off in (("fsync", not facts.fsync), ("synchronous_commit", facts.synchronous_commit == "off")):
            if is_off:
                text = f"{setting} is off: a crash loses submissions that were acknowledged"
                found.append(problem(check, text, "set it to on"))
        if not facts.autovacuum:
            found.append(warning(check, "autovacuum is off: the tables grow without bound", "set it to on"))
        if facts.is_superuser and self._settings.is_production:
            found.append(
                warning(check, "the service is a superuser", "use a role that only owns the database of the service")
            )
        return found

    async def migrations(self) -> Iterable[Finding]:
        """Check that this version can use the tables as they are."""
        check = "migrations"
        try:
            found = await fetch_revisions(str(self._settings.database_url))
        except UnknownRevision as error:
            return [problem(check, str(error), "run the version that has migrated it, or check DATABASE_URL")]
        if found.is_newer:
            return [
                warning(
                    check,
                    f"the database is at {found.current} of a newer version, which this one can use",
                    "upgrade this instance soon",
                )
            ]
        if not found.are_compatible:
            current = f"at {found.current}" if found.current else "empty"
            text = f"the database is {current}, and must be at {found.newest}"
            return [problem(check, text, "run `leaderboard migrate`")]
        return [ok(check, f"the database is at {found.newest}")]

    async def backups(self) -> Iterable[Finding]:
        """Check when each kind of backup was last made."""
        check, advice = "backups", "see docs/operations/backups.md"
        async with self._database.connect() as connection:
            rows = (await connection.execute(_BACKUPS)).all()
        found = []
        for row in rows:
            if row.has_failed:
                found.append(warning(check, f"the last {row.kind} failed", advice))
            elif row.age > MAX_BACKUP_AGE:
                found.append(warning(check, f"the last {row.kind} is older than 26 hours", advice))
            else:
                found.append(ok(check, f"the last {row.kind} is {row.age.total_seconds() / 3600:.0f} hours old"))
        return found or [warning(check, "no backup has been recorded", advice)]

    async def connections(self) -> Iterable[Finding]:
        """Compare the pools with the connections that PostgreSQL allows."""
        check = "PostgreSQL connections"
        needed = postgres_connections(self._settings)
        async with self._database.connect() as connection:
            row = (await connection.execute(_CONNECTIONS)).one()
        if self._database.has_pooler:
            return [ok(check, f"an instance opens up to {needed} connections to the pooler")]
        limit = row.available if row.of_role in (None, -1) else min(row.available, row.of_role)
        if needed > limit:
            return [
                problem(
                    check,
                    f"an instance may open {needed} connections, and PostgreSQL allows {limit}",
                    "lower WORKERS or DB_POOL_MAX, raise max_connections, or use a pooler",
                )
            ]
        return [ok(check, f"an instance opens up to {needed} of {limit}: there may be {limit // needed} instances")]

    async def clock(self) -> Iterable[Finding]:
        """Compare the clock of this machine with that of PostgreSQL."""
        check = "clock of PostgreSQL"
        max_skew = timedelta(seconds=self._settings.max_clock_skew)
        skew = await ServerClock(self._database, self._runtime, max_skew=max_skew).measure()
        text = f"this machine is {skew.total_seconds():+.1f} s from it"
        advice = "synchronise the clocks of both machines (NTP)"
        if abs(skew) > max_skew:
            return [problem(check, f"{text}, more than MAX_CLOCK_SKEW: writes are refused", advice)]
        if abs(skew) > MAX_UNREPORTED_SKEW:
            return [warning(check, text, advice)]
        return [ok(check, text)]

    async def advisory_locks(self) -> Iterable[Finding]:
        """Check that a lock that one session holds is not given to another: some engines accept the call only."""
        check = "advisory locks"
        parameters = {"key": int(AdvisoryLock.DOCTOR)}
        async with self._database.begin() as holder:
            await holder.execute(_LOCK, parameters)
            async with self._database.begin() as other:
                is_honoured = not (await other.execute(_TRY_LOCK, parameters)).scalar_one()
        if is_honoured:
            return [ok(check, "they are honoured")]
        return [
            problem(
                check,
                "two sessions have got the same lock",
                "migrate, seed, import and change the catalogue from one place at a time (docs/operations/engines.md)",
            )
        ]

    async def lag(self) -> Iterable[Finding]:
        """Measure the lag of each replica."""
        await self._replicas.measure()
        found = []
        for replica in self._replicas.all:
            check, lag = f"replica {replica.name}", self._replicas.lag(replica)
            if self._replicas.is_usable(replica) and lag is not None:
                found.append(ok(check, f"it is at most {lag:.1f} s behind"))
            else:
                found.append(problem(check, f"it is not used: {replica.problem}", "docs/operations/postgresql.md"))
        return found
