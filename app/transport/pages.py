"""Pages for people: the live board and the IDE, built from `web/`, and a plain page until they are."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

STATIC = Path(__file__).resolve().parents[1] / "static"

NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="3">
<title>Leaderboard</title>
<body>
<h1>Leaderboard</h1>
<p>The API is up at <a href="/graphql"><code>/graphql</code></a>. This page is being built; it appears by itself.
If it does not, run <code>make web</code>.</p>
</body>
</html>
"""


def routes(production: bool, static: Path = STATIC) -> list[Route]:
    """`/`, `/graphiql` (not in production), and the files they load."""

    async def page(request: Request) -> Response:
        name = "graphiql.html" if request.url.path == "/graphiql" else "index.html"
        if not (static / name).is_file():
            return HTMLResponse(NOT_BUILT, headers={"cache-control": "no-store"})
        return FileResponse(static / name, headers={"cache-control": "no-cache"})

    async def asset(request: Request) -> Response:
        path = (static / "assets" / request.path_params["path"]).resolve()
        if not path.is_relative_to(static / "assets") or not path.is_file():
            return PlainTextResponse("Not found", 404)
        # Names of assets carry a hash of their content.
        return FileResponse(path, headers={"cache-control": "public, max-age=31536000, immutable"})

    found = [Route("/", page), Route("/assets/{path:path}", asset)]
    return found if production else [*found, Route("/graphiql", page)]
