"""Response bodies for clients of HTTP/1.0, which do not know chunks."""

from __future__ import annotations

from typing import Any

from app.transport._upstream import ASGI3Application, RequestResponseCycle


def close_delimited(app: ASGI3Application, cycle: RequestResponseCycle) -> ASGI3Application:
    """Return `app` with bodies of unknown length that end with the connection (RFC 9112, section 6.3)."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        has_length = True

        async def send_without_chunks(message: Any) -> None:
            nonlocal has_length
            if message["type"] == "http.response.start":
                has_length = any(name.lower() == b"content-length" for name, _ in message.get("headers", ()))
                if not has_length:
                    cycle.chunked_encoding = False
            elif not has_length:
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await app(scope, receive, send_without_chunks)

    return answer
