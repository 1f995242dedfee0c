"""The framing of a stream of results in an HTTP body."""

from __future__ import annotations

from typing import NamedTuple

from app.error_codes import ErrorCode
from app.transport.http.negotiation import EVENT_STREAM, MULTIPART

MULTIPART_PART = b"content-type: application/json\r\n\r\n"

RESTART_PART_BODY = (
    b'{"payload":null,"errors":[{"message":"The server restarts.","extensions":{"code":"%b"}}]}'
    % ErrorCode.SERVICE_UNAVAILABLE.encode()
)


class Framing(NamedTuple):
    """The bytes around results. Each piece is complete: a client can handle it as soon as it has arrived."""

    content_type: bytes
    opening: bytes
    before: bytes
    after: bytes
    heartbeat: bytes
    closing: bytes
    """After the last result: the client does not reconnect."""
    interruption: bytes
    """Instead of `closing` when the server stops: the client reconnects."""

    def result(self, body: bytes) -> bytes:
        """Frame one encoded result. `body` has no line breaks."""
        return b"".join((self.before, body, self.after))


# https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, distinct connections mode.
# A browser ignores an event without a data line. A stream that ends without `complete` is resumed by clients.
SSE_FRAMING = Framing(
    content_type=b"text/event-stream; charset=utf-8",
    opening=b":\n\n",
    before=b"event: next\ndata: ",
    after=b"\n\n",
    heartbeat=b":\n\n",
    closing=b"event: complete\ndata:\n\n",
    interruption=b"",
)

# Apollo's multipart protocol for subscriptions. The boundary after a part says that it is complete, so it is sent with
# the part and not with the next one.
MULTIPART_FRAMING = Framing(
    content_type=b'multipart/mixed; boundary="-"; subscriptionSpec="1.0"',
    opening=b"\r\n---\r\n",
    before=MULTIPART_PART + b'{"payload":',
    after=b"}\r\n---\r\n",
    heartbeat=MULTIPART_PART + b"{}\r\n---\r\n",
    closing=MULTIPART_PART + b"{}\r\n-----\r\n",
    interruption=MULTIPART_PART + RESTART_PART_BODY + b"\r\n-----\r\n",
)

FRAMINGS = {EVENT_STREAM: SSE_FRAMING, MULTIPART: MULTIPART_FRAMING}
