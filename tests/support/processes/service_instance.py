"""Run an instance of the service that prints its URL when it is ready."""

import asyncio
import socket

from app.config import load_settings
from app.server import Server, config, set_up_process


async def main() -> None:
    """Serve with the settings of the environment."""
    settings = load_settings()
    set_up_process(settings.model_copy(update={"log_level": "WARNING"}))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        await Server(config(settings), lambda: print(address, flush=True)).serve([listener])  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
