"""Private PostgreSQL and Redis for development and the tests: real servers, no installation, nothing left behind.

One *keeper* process per data folder starts the servers and stops them when the last program that uses
them is gone, however that program ended. A second program on the same folder joins the servers that run.

    with open_stores(Path(".data")) as stores:
        connect(stores.database_url, stores.redis_url)
"""

from app.embedded.errors import EmbeddedError
from app.embedded.stores import Stores, open_stores

__all__ = ["EmbeddedError", "Stores", "open_stores"]
