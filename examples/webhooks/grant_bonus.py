"""A receiver of webhooks that grants a bonus for each milestone, exactly once, in the game's own database.

WEBHOOK_SECRET=whsec_... python grant_bonus.py [PORT] [DATABASE]

The service delivers an event at least once. The id of the event and the bonus are committed together here, so that a
repetition changes nothing, and an event is answered with success only once its bonus is stored.
"""

import base64
import hmac
import json
import os
import sqlite3
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TABLES = """
CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS coins (user_id TEXT PRIMARY KEY, balance INTEGER NOT NULL);
"""
BONUS = 100
MAX_BODY = 100_000
MAX_AGE_SECONDS = 300

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
DATABASE = sys.argv[2] if len(sys.argv) > 2 else "game.db"
KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))


def is_genuine(body: bytes, event_id: str, timestamp: str, signatures: str) -> bool:
    """Check the signature and the age of a delivery, as Standard Webhooks defines them."""
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > MAX_AGE_SECONDS:
        return False
    digest = hmac.new(KEY, f"{event_id}.{timestamp}.".encode() + body, "sha256").digest()
    expected = b"v1," + base64.b64encode(digest)
    return any(hmac.compare_digest(expected, one.encode()) for one in signatures.split())


def handle(event_id: str, event: dict) -> None:
    """Do what an event asks for, unless that was done before: both in one transaction."""
    connection = sqlite3.connect(DATABASE, timeout=5)
    try:
        with connection:
            is_new = connection.execute("INSERT OR IGNORE INTO events VALUES (?)", (event_id,)).rowcount == 1
            if is_new and event["type"] == "milestone.reached":
                connection.execute(
                    "INSERT INTO coins VALUES (?, ?) ON CONFLICT (user_id) DO UPDATE SET balance = balance + ?",
                    (event["data"]["userId"], BONUS, BONUS),
                )
    finally:
        connection.close()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length) if length <= MAX_BODY else b""
        event_id, timestamp, signatures = (
            self.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
        )
        if is_genuine(body, event_id, timestamp, signatures):
            handle(event_id, json.loads(body))  # An exception closes the connection: the event is sent again.
            self.send_response(204)
        else:
            self.send_response(401)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing per request."""


if __name__ == "__main__":
    with sqlite3.connect(DATABASE) as database:
        database.executescript(TABLES)
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Receiver)
    print(f"Listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
