"""The demo: access tokens for invented players, in development and for this machine only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Scope

from app.config import Settings
from app.domain.errors import BadUserInput
from app.domain.identity.issuers import Issuer
from app.domain.players.names import clean_username
from app.domain.users import Role
from app.services.auth.access_tokens import mint
from app.services.auth.signing_keys import SigningKeys
from app.transport.errors import BadRequest, ClientDisconnected
from app.transport.http.request_body import read_body
from app.transport.middleware.client_address import parse_address
from app.transport.middleware.origins import Origins

TOKEN_LIFETIME = 3600
"""Seconds for which a demo token is valid; the page renews it in time."""

MAX_BODY_SIZE = 1024
BODY_TIMEOUT = 5.0

# Any of these headers means that a proxy on this machine forwarded the request of another client.
FORWARDED = frozenset((b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"))

OWN_PAGES = Origins(())


def routes(settings: Settings, clock: Callable[[], datetime]) -> list[Route]:
    """Return the routes `/environment.json`, which lists the optional features for the page, and `/demo/token`.

    `/demo/token` does not exist in production, nor if an identity provider signs the access tokens. It answers the
    pages of the service and programs on this machine, and issues tokens with the role `player` only.
    """
    issuer = None if settings.is_production else settings.own_issuer

    async def environment(request: Request) -> Response:
        demo = issuer is not None and is_from_this_machine(request.scope)
        return _json({"demo": demo, "ide": not settings.is_production})

    async def token(request: Request) -> Response:
        assert issuer is not None
        if not is_from_this_machine(request.scope) or not OWN_PAGES.allows(request.scope):
            return _json({"message": "Demo tokens are for this machine alone."}, 403)
        try:
            return _json({"token": _mint(settings, issuer, await _user_in(request), clock())})
        except BadRequest as problem:
            return _json({"message": problem.message}, problem.status)
        except BadUserInput as error:
            return _json({"message": str(error)}, 400)
        except ClientDisconnected:
            return Response(status_code=499)

    found = [Route("/environment.json", environment)]
    return found if issuer is None else [*found, Route("/demo/token", token, methods=["POST"])]


def is_from_this_machine(scope: Scope) -> bool:
    """Return whether the request comes from a loopback address and was not forwarded by a proxy."""
    client = scope.get("client")
    address = parse_address(client[0]) if client else None
    is_forwarded = any(name in FORWARDED for name, _ in scope["headers"])
    return address is not None and address.is_loopback and not is_forwarded


async def _user_in(request: Request) -> str:
    """Return the requested user name.

    Raises:
        BadRequest: The body is not JSON with a name.
        BadUserInput: The name is not valid.
        ClientDisconnected: The client left.
    """
    # Other sites cannot send this content type without a CORS preflight.
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise BadRequest(415, "The body must be application/json.")
    body = await read_body(
        request.receive, dict(request.scope["headers"]), max_bytes=MAX_BODY_SIZE, timeout=BODY_TIMEOUT
    )
    try:
        user = orjson.loads(body)["user"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        user = None
    if not isinstance(user, str):
        raise BadRequest(400, 'The body must be {"user": "a name"}.')
    name = clean_username(user)
    if not name:
        raise BadUserInput("The name must have a character that can be seen.")
    return name


def _mint(settings: Settings, issuer: Issuer, user: str, now: datetime) -> str:
    return mint(
        SigningKeys(settings.jwt_secret.get_secret_value()),
        subject=user,
        role=Role.PLAYER,
        ttl=min(TOKEN_LIFETIME, settings.access_token_max_lifetime),
        issuer=issuer,
        now=int(now.timestamp()),
    )


def _json(content: Mapping[str, Any], status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, {"cache-control": "no-store"}, media_type="application/json")
