"""Prints the top of the board whenever it changes, with a client made by ariadne-codegen: python watch.py [url]"""

import asyncio
import sys

from board_client import Client

URL = "http://127.0.0.1:8000/graphql"


async def watch(url: str) -> None:
    """Read the board, then watch it. Every field has a type, made from the schema."""
    async with Client(url=url, ws_url=url.replace("http", "ws", 1)) as client:
        board = (await client.read_board(limit=3)).leaderboard
        print(f"{board.total_users} players", flush=True)
        async for message in client.watch_board(limit=3):
            update = message.leaderboard_updates
            lines = (f"{entry.rank}. {entry.user.username} {entry.score}" for entry in update.leaderboard.entries)
            print(f"{update.kind.value}: {', '.join(lines) or 'nobody yet'}", flush=True)


if __name__ == "__main__":
    asyncio.run(watch(sys.argv[1] if len(sys.argv) > 1 else URL))
