"""How a stream of results is written into an HTTP body."""

from __future__ import annotations

from typing import NamedTuple

from app.error_codes import ErrorCode
from app.transport.http.negotiation import EVENT_STREAM, MULTIPART

PART = b"content-type: application/json\r\n\r\n"

RESTARTING = (
    b'{"payload":null,"errors":[{"message":"The server restarts.","extensions":{"code":"%b"}}]}'
    % ErrorCode.SERVICE_UNAVAILABLE.encode()
)


class Framing(NamedTuple):
    """The bytes around results. Each piece is complete in itself: a client can act on it as soon as it is there."""

    content_type: bytes
    opening: bytes
    before: bytes
    after: bytes
    heartbeat: bytes
    closing: bytes
    """After the last result: do not come back."""
    interruption: bytes
    """Instead of `closing` when the server stops: come back."""

    def result(self, body: bytes) -> bytes:
        """One encoded result. `body` has no line breaks."""
        return b"".join((self.before, body, self.after))


# https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, distinct connections mode.
# A browser ignores an event without a data line. A stream that ends without `complete` is resumed by clients.
EVENTS = Framing(
    content_type=b"text/event-stream; charset=utf-8",
    opening=b":\n\n",
    before=b"event: next\ndata: ",
    after=b"\n\n",
    heartbeat=b":\n\n",
    closing=b"event: complete\ndata:\n\n",
    interruption=b"",
)

# Apollo's multipart protocol for subscriptions. A part is only known to be complete by the boundary behind it,
# so that boundary goes out together with the part and not with the next one.
PARTS = Framing(
    content_type=b'multipart/mixed; boundary="-"; subscriptionSpec="1.0"',
    opening=b"\r\n---\r\n",
    before=PART + b'{"payload":',
    after=b"}\r\n---\r\n",
    heartbeat=PART + b"{}\r\n---\r\n",
    closing=PART + b"{}\r\n-----\r\n",
    interruption=PART + RESTARTING + b"\r\n-----\r\n",
)

FRAMINGS = {EVENT_STREAM: EVENTS, MULTIPART: PARTS}
