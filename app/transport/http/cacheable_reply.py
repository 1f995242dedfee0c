"""The agreement between the endpoint and the request head cache about `scope["state"]`."""

from __future__ import annotations

from typing import Any, NamedTuple

from app.transport.http.negotiation import AcceptedMediaTypes
from app.transport.http.responses import Reply

HEAD_BYTES = "request_head_bytes"
"""The key of the bytes of the request's head, set by the connection."""

CACHEABLE_REPLY = "cacheable_reply"
"""The key of a `CacheableReply`, set by the endpoint."""


class CacheableReply(NamedTuple):
    """A reply whose request may come again with the same head and another body."""

    reply: Reply
    """The reply as the endpoint made it, before any middleware."""
    accepted: AcceptedMediaTypes
    context: Any
