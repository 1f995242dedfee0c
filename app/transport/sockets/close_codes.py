"""The codes a socket is closed with.

A code is chosen by what the client should do next. Clients built on `graphql-ws` decide by the code alone: they come
back by themselves after 1005, 1006, 1012, 1013, 4403 and 4408, and stay away after 1002, 1007, 1009, 1011, 4400,
4401, 4406, 4409 and 4429.
"""

from __future__ import annotations

from enum import IntEnum

from app.domain.errors import DomainError, Failure, RateLimited, ServiceUnavailable, Unauthenticated


class CloseCode(IntEnum):
    """Why the server closed a socket. `retry` says whether reconnecting can help."""

    IDLE = 1000
    """The socket carried no operation for a long time. Open a new one when there is something to subscribe to."""

    MESSAGE_TOO_BIG = 1009
    """A message was larger than 64 KiB. A bug of the client: send less, do not repeat it."""

    RESTART = 1012
    """The server restarts. Reconnect after a short random wait; subscriptions start again with a snapshot."""

    TRY_AGAIN_LATER = 1013
    """The server is full, there are too many sockets from one address, a store is unavailable, or the client read too
    slowly. Reconnect with growing waits: others may have gone by then."""

    BAD_REQUEST = 4400
    """The client broke the protocol; the reason says how. A bug of the client: do not reconnect."""

    UNAUTHORIZED = 4401
    """The access token is not valid, or there was an operation before `connection_ack`. Do not reconnect with it."""

    FORBIDDEN = 4403
    """The access token has expired, or its signing key was withdrawn. Fetch a new token, then reconnect."""

    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    """Only `graphql-transport-ws` is spoken here. Do not reconnect without offering it."""

    INIT_TIMEOUT = 4408
    """There was no `connection_init`, or authenticating took too long. Reconnect."""

    DUPLICATE_OPERATION = 4409
    """`subscribe` used the id of an operation that still runs. A bug of the client: do not reconnect."""

    TOO_MANY = 4429
    """Too many `connection_init`, messages, or sockets of one user, where the oldest has to go. Do not reconnect:
    two clients that displace each other in turns would do so for ever."""

    @property
    def retry(self) -> bool:
        """Return whether the client should reconnect by itself."""
        return self in (CloseCode.RESTART, CloseCode.TRY_AGAIN_LATER, CloseCode.FORBIDDEN, CloseCode.INIT_TIMEOUT)


def code_for(error: Exception) -> CloseCode:
    """Return the code for a failed `connection_init`. Unexpected errors may be temporary: TRY_AGAIN_LATER."""
    match error:
        case Unauthenticated(expired=True):
            return CloseCode.FORBIDDEN
        case RateLimited() | ServiceUnavailable():
            return CloseCode.TRY_AGAIN_LATER
        case Failure():
            return CloseCode.UNAUTHORIZED
        case _:
            return CloseCode.TRY_AGAIN_LATER


def reason_for(error: Exception) -> str:
    """Return the reason for the client: the message of a domain error, which is public, and of no other error."""
    return error.message if isinstance(error, DomainError) else "Try again later"
