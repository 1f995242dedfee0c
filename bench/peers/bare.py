"""What Starlette costs by itself: a request read as JSON, a ready board sent as JSON."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ENTRIES = [
    {"id": f"e{n}", "rank": n + 1, "score": 1000 - n, "user": {"id": f"u{n}", "username": f"player-{n:028}"}}
    for n in range(10)
]


def create_app() -> Starlette:
    """Return the application."""

    async def board(request: Request) -> Response:
        await request.json()
        return JSONResponse({"data": {"leaderboard": {"id": "b", "totalUsers": 5000, "entries": ENTRIES}}})

    async def livez(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    return Starlette(routes=[Route("/graphql", board, methods=["POST"]), Route("/livez", livez)])
