"""Private PostgreSQL and Redis for development and the tests: real servers, no installation, no process left behind.

One *daemon* process per data folder starts the servers, and stops them when the last program that uses them has
ended, for whatever reason. A second program that opens the same folder shares the servers that are running.

Nothing of this package is needed where both DATABASE_URL and REDIS_URL are set; the production image leaves it out.

    with open_stores(Path(".data")) as stores:
        connect(stores.database_url, stores.redis_url)
"""

from app.embedded.errors import EmbeddedError
from app.embedded.stores import Stores, open_stores

__all__ = ["EmbeddedError", "Stores", "open_stores"]
