"""An instance that says how many tasks it has: SIGUSR1 writes their number to the file TASKS_FILE."""

import asyncio
import os
import signal
import socket
from pathlib import Path

from app.config import load_settings
from app.server import Server, config, set_up_process


async def main() -> None:
    """Serve with the settings of the environment, and print the URL."""
    settings = load_settings()
    set_up_process(settings.model_copy(update={"log_level": "ERROR"}))
    loop, file = asyncio.get_running_loop(), Path(os.environ["TASKS_FILE"])

    def write() -> None:
        draft = file.with_suffix(".new")
        draft.write_text(str(len(asyncio.all_tasks(loop))))
        draft.rename(file)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        loop.add_signal_handler(signal.SIGUSR1, write)
        await Server(config(settings), lambda: print(address, flush=True)).serve([listener])  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
