"""The live board and the IDE, built from `web/`, and a placeholder page until they are built."""

from __future__ import annotations

from mimetypes import guess_type
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

STATIC = Path(__file__).resolve().parents[2] / "static"

# Names of assets carry a hash of their content; those of pages do not.
ASSET_CACHING = "public, max-age=31536000, immutable"
PAGE_CACHING = "no-cache"

NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="2">
<title>Leaderboard</title>
<style>
body { max-width: 34rem; margin: 20vh auto 0; padding: 0 1.5rem; font: 1.125rem/1.6 system-ui, sans-serif }
</style>
<body>
<h1>The page is being built</h1>
<p>It appears by itself. The API is up already, at <code>/graphql</code>. If this takes longer than a minute or two,
run <code>make web</code> and see what it says.</p>
</body>
</html>
"""


def routes(production: bool, static: Path = STATIC) -> list[Route]:
    """Return the routes `/`, `/graphiql` (not in production), and the files that the pages load.

    The files in `static` may be created or replaced at any time.
    """

    async def page(request: Request) -> Response:
        name = "graphiql.html" if request.url.path == "/graphiql" else "index.html"
        if not (static / name).is_file():
            return HTMLResponse(NOT_BUILT, headers={"cache-control": "no-store"})
        return _file(request, static / name, PAGE_CACHING)

    async def asset(request: Request) -> Response:
        assets = (static / "assets").resolve()
        path = (assets / request.path_params["path"]).resolve()
        if not path.is_relative_to(assets) or not path.is_file():
            return PlainTextResponse("Not found", 404)
        return _file(request, path, ASSET_CACHING)

    found = [Route("/", page), Route("/assets/{path:path}", asset)]
    return found if production else [*found, Route("/graphiql", page)]


def _file(request: Request, path: Path, caching: str) -> Response:
    """Respond with the file, or with a compressed copy from the build if the client accepts it."""
    media_type = guess_type(path.name)[0] or "application/octet-stream"
    headers = {"cache-control": caching, "vary": "Accept-Encoding"}
    compressed = path.with_name(f"{path.name}.gz")
    if _takes_gzip(request) and compressed.is_file():
        return FileResponse(compressed, headers=headers | {"content-encoding": "gzip"}, media_type=media_type)
    return FileResponse(path, headers=headers, media_type=media_type)


def _takes_gzip(request: Request) -> bool:
    codings = (coding.partition(";") for coding in request.headers.get("accept-encoding", "").split(","))
    return any(name.strip() == "gzip" and weight.strip() not in ("q=0", "q=0.0") for name, _, weight in codings)
