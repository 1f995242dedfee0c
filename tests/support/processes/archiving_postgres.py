"""A PostgreSQL that archives its write-ahead log, which a test may lose and start from a restored cluster."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg

from app.embedded.os_user import OsUser
from app.embedded.paths import base_folder, postgres_programs
from app.embedded.postgres import PostgresServer
from app.embedded.servers import make_server
from tests.support.stores import BreakableServer, Databases, private_folder

SCRIPT = Path(__file__).resolve().parents[3] / "ops" / "backups" / "archive-wal.sh"


class ArchivingPostgres(BreakableServer):
    """The server, with a migrated database at `url`.

    Attributes:
        backups: The folder of the backups, with the archive in `wal/`.
        cluster: The folder of the cluster.
        programs: The folder of the programs of PostgreSQL.
    """

    def __init__(self, server: PostgresServer, url: str, cluster: Path, programs: Path, backups: Path) -> None:
        super().__init__(server, url)
        self.cluster = cluster
        self.programs = programs
        self.backups = backups
        self._user = OsUser.for_cluster(cluster)

    async def ask(self, statement: str) -> object:
        """Execute a statement on a connection of its own, and return the value."""
        connection = await asyncpg.connect(self.url.replace("+asyncpg", ""), timeout=20, command_timeout=60)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close(timeout=10)

    def stop(self) -> None:
        """Stop it as an operator does. `start` starts it again."""
        self._server.stop()

    def lose_cluster(self) -> None:
        """Kill the server, delete all of its data, and leave an empty folder that belongs to its user."""
        self.kill()
        shutil.rmtree(self.cluster)
        self.make_folder(self.cluster)

    def make_folder(self, path: Path) -> Path:
        """Create an empty folder that belongs to the user of the server."""
        path.mkdir(mode=0o700, parents=True)
        self._user.take_ownership(path)
        return path


@contextlib.asynccontextmanager
async def archiving_postgres() -> AsyncIterator[ArchivingPostgres]:
    """Run the server during the block."""
    with private_folder() as folder:
        made = make_server(folder, "postgres")
        assert isinstance(made, PostgresServer)
        await asyncio.to_thread(made.start)
        base = base_folder(folder)
        cluster = base / "postgres"
        backups = base / "backups"
        backups.mkdir(mode=0o755)
        script = shutil.copy(SCRIPT, base / SCRIPT.name)
        Path(script).chmod(0o644)
        programs = postgres_programs(base, OsUser.for_cluster(cluster))
        server = ArchivingPostgres(made, made.url, cluster, programs, backups)
        try:
            wal = server.make_folder(backups / "wal")
            await server.ask("ALTER SYSTEM SET archive_mode = on")
            await server.ask(f"""ALTER SYSTEM SET archive_command = 'sh {script} "%p" "%f" {wal}'""")
            await asyncio.to_thread(server.stop)
            await server.start()
            databases = Databases(server.url)
            await databases.prepare()
            server.url = await databases.create()
            yield server
        finally:
            server.kill()
