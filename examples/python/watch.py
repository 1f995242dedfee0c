"""Prints the top of the board whenever it changes, until interrupted: python watch.py [url]"""

import asyncio
import sys

from gql import Client, gql
from gql.transport.websockets import WebsocketsTransport

URL = "ws://127.0.0.1:8000/graphql"

WATCH = gql("""
    subscription Watch {
      leaderboardUpdates(limit: 3) {
        kind
        leaderboard { entries { rank score user { username } } }
      }
    }
""")


async def watch(url: str) -> None:
    """Watch the board and reconnect after a loss. The first message is a snapshot, so nothing is missed."""
    client = Client(transport=WebsocketsTransport(url=url, subprotocols=["graphql-transport-ws"]))
    session = await client.connect_async(reconnecting=True)
    try:
        async for result in session.subscribe(WATCH):
            update = result["leaderboardUpdates"]
            entries = update["leaderboard"]["entries"]
            lines = (f"{entry['rank']}. {entry['user']['username']} {entry['score']}" for entry in entries)
            print(f"{update['kind']}: {', '.join(lines) or 'nobody yet'}", flush=True)
    finally:
        await client.close_async()


if __name__ == "__main__":
    asyncio.run(watch(sys.argv[1] if len(sys.argv) > 1 else URL))
