"""An instance of the service in a process of its own: prints its address when it serves."""

import asyncio
import socket

from app.config import load_settings
from app.server import Server, config
from app.telemetry.logging import configure_logging


async def main() -> None:
    configure_logging("WARNING", json=False)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        await Server(config(load_settings()), lambda: print(address, flush=True)).serve([listener])  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
