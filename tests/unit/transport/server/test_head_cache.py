"""Which middleware the request head cache may bypass."""

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from app.config import Settings
from app.main import create_app
from app.transport.middleware.request_ids import RequestIds
from app.transport.server.head_cache import ACCOUNTED_MIDDLEWARE, RequestHeadCache, middleware_of


class Counting:
    """Middleware that must see every request."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


def made_here() -> str:
    return "made-here"


@pytest.mark.parametrize("origins", [(), ("https://game.example",)])
def test_the_cache_accounts_for_every_middleware_of_the_service(origins: tuple[str, ...]):
    app = create_app(Settings(_env_file=None, allowed_origins=origins))
    assert isinstance(app, RequestHeadCache)
    layers = [type(layer) for layer in middleware_of(app.app)]
    assert len(layers) == 5 + len(origins)
    assert set(layers) <= ACCOUNTED_MIDDLEWARE.keys()
    assert app.is_usable


@pytest.mark.parametrize(
    "app",
    [
        RequestIds(Counting(Router()), made_here),
        Counting(RequestIds(Router(), made_here)),
        RequestIds(Router(middleware=[Middleware(Counting)]), made_here),
    ],
    ids=["inside", "outside", "in the router"],
)
def test_unknown_middleware_switches_the_cache_off(app: ASGIApp):
    assert not RequestHeadCache(app, made_here).is_usable


def test_an_application_of_starlette_is_looked_into():
    app = Starlette(middleware=[Middleware(Counting)])
    app.middleware_stack = app.build_middleware_stack()
    assert Counting in [type(layer) for layer in middleware_of(app)]
