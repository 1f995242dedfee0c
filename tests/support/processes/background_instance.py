"""Run the background work of an instance, jobs included, without a server."""

import asyncio

from app.config import load_settings
from app.telemetry.logging import configure_logging
from app.wiring import open_app
from tests.support.runtime import runtime_for


async def main() -> None:
    """Work with the settings of the environment until the process is ended."""
    settings = load_settings()
    configure_logging("WARNING", json=False)
    async with open_app(settings, runtime_for(), housekeeping=True):
        print("-", flush=True)  # noqa: T201
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
