"""How long the access token of a stream remains valid."""

from __future__ import annotations

import asyncio

from app.context import Context
from app.domain.errors import Unauthenticated
from app.transport.http.streams import wait_forever


async def until_invalid(context: Context) -> Unauthenticated:
    """Wait until the caller's access token expires or its signing key is withdrawn, and return the error to send.

    Never returns for an anonymous request.
    """
    if context.caller is None:
        return await wait_forever(context)
    key, withdrawn = context.caller.signing_key, asyncio.Event()
    seconds_left = context.caller.expires_at - context.services.clock().timestamp()
    key.listen(withdrawn.set)
    try:
        async with asyncio.timeout(seconds_left if key.is_trusted else 0):
            await withdrawn.wait()
    except TimeoutError:
        return Unauthenticated(expired=key.is_trusted)
    finally:
        key.unlisten(withdrawn.set)
    return Unauthenticated()
