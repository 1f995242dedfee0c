"""Serving what `make web` has built."""

from pathlib import Path

import httpx2
import pytest
from starlette.applications import Starlette

from app.transport.routes import pages


@pytest.fixture
def static(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>the board")
    (tmp_path / "assets/board-1.js").write_text("play()")
    (tmp_path / "assets/board-1.js.gz").write_bytes(b"compressed")
    (tmp_path.parent / "secret.txt").write_text("secret")
    return tmp_path


def visitor(static: Path, *, production: bool = False) -> httpx2.AsyncClient:
    app = Starlette(routes=pages.routes(production, static))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://localhost")


async def test_the_page_is_asked_for_anew_and_its_assets_are_kept(static: Path):
    async with visitor(static) as http:
        page = await http.get("/")
        asset = await http.get("/assets/board-1.js", headers={"accept-encoding": "identity"})
    assert (page.text, page.headers["cache-control"]) == ("<!doctype html>the board", "no-cache")
    assert asset.text == "play()"
    assert asset.headers["content-type"].startswith("text/javascript")
    assert "immutable" in asset.headers["cache-control"]


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("br", False), ("gzip;q=0", False), ("identity", False)],
)
async def test_who_takes_gzip_gets_what_the_build_has_compressed(static: Path, accepted: str, is_compressed: bool):
    async with (
        visitor(static) as http,
        http.stream("GET", "/assets/board-1.js", headers={"accept-encoding": accepted}) as answer,
    ):
        body = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert (body == b"compressed") is is_compressed
    assert (answer.headers.get("content-encoding") == "gzip") is is_compressed
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize(
    "path", ["/assets/../../secret.txt", "/assets/%2e%2e/%2e%2e/secret.txt", "/assets/", "/assets/x"]
)
async def test_nothing_outside_of_the_assets_is_served(static: Path, path: str):
    async with visitor(static) as http:
        assert (await http.get(f"/assets/{path}")).status_code == 404


async def test_until_it_is_built_a_page_of_our_own_says_so_and_looks_again(tmp_path: Path):
    async with visitor(tmp_path) as http:
        answer = await http.get("/")
        assert answer.status_code == 200
        assert "is being built" in answer.text
        assert 'http-equiv="refresh"' in answer.text
        assert answer.headers["cache-control"] == "no-store"
        (tmp_path / "index.html").write_text("<!doctype html>the board")
        assert "the board" in (await http.get("/")).text


async def test_production_has_no_ide(static: Path):
    async with visitor(static, production=True) as http:
        assert (await http.get("/graphiql")).status_code == 404
        assert (await http.get("/")).status_code == 200
