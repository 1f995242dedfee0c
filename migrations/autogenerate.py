"""Write the next migration from the difference between the models and the migrations: `make migration M="…"`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from app.embedded import open_stores
from app.models.migrate import create_revision, upgrade


def main(message: str) -> None:
    """Compare the models with a database that has every migration, on a private server, and write the difference."""
    with tempfile.TemporaryDirectory() as folder:
        # `data` lies one level down: the temporary folder itself is closed to the user that root's servers run as.
        Path(folder).chmod(0o711)
        with open_stores(Path(folder, "data"), redis_url="redis://unused") as stores:
            upgrade(stores.database_url)
            create_revision(stores.database_url, message)


if __name__ == "__main__":
    main(sys.argv[1])
