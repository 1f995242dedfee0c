"""Requests through real proxies: a client must not choose the address that limits and blocks count."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from app.transport.middleware.client_address import TrustedProxies, client_address
from tests.support.graphql.raw_http import connected
from tests.support.graphql.sample_server import serve_http
from tests.support.wait_until import TIMEOUT, until

HAPROXY = """
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend main
    bind 127.0.0.1:{port}
    option forwardfor
    default_backend app
backend app
    server app 127.0.0.1:{upstream}
"""

NGINX = """
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
}}
"""


def haproxy_command(executable: str, config: Path) -> list[str]:
    return [executable, "-db", "-q", "-f", str(config)]


def nginx_command(executable: str, config: Path) -> list[str]:
    return [executable, "-p", str(config.parent), "-c", str(config), "-g", "daemon off; master_process off;"]


PROXIES: dict[str, tuple[str, Callable[[str, Path], list[str]]]] = {
    "haproxy": (HAPROXY, haproxy_command),
    "nginx": (NGINX, nginx_command),
}


@asynccontextmanager
async def proxied(name: str, upstream: str, folder: Path) -> AsyncIterator[str]:
    """Run a proxy in front of `upstream`, and yield its URL."""
    executable = shutil.which(name, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if executable is None:
        pytest.skip(f"{name} is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    template, command = PROXIES[name]
    config = folder / "proxy.conf"
    config.write_text(template.format(port=port, upstream=upstream.rpartition(":")[2], folder=folder))
    process = await asyncio.create_subprocess_exec(*command(executable, config))

    def is_listening() -> bool:
        assert process.returncode is None, f"{name} ended with {process.returncode}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        await until(is_listening)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), TIMEOUT)


async def tell_address(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the address that the client of a request is counted by, after the whole body has arrived."""
    while (await receive()).get("more_body"):
        pass
    body = client_address(scope, TrustedProxies.of(["127.0.0.1"])).encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
PLAIN = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n"

ATTEMPTS = {
    "header": PLAIN + b"X-Forwarded-For: 9.9.9.9\r\n\r\n",
    "two headers": PLAIN + b"X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 8.8.8.8\r\n\r\n",
    "trailer": CHUNKED + b"X-Forwarded-For: 9.9.9.9\r\n\r\n",
    "two trailers": CHUNKED + b"X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-For: 127.0.0.1, 9.9.9.9\r\n\r\n",
}


@pytest.mark.parametrize("name", PROXIES)
async def test_a_client_behind_a_proxy_cannot_choose_its_address(name: str, tmp_path: Path):
    async with serve_http(tell_address) as upstream, proxied(name, upstream, tmp_path) as url:
        for attempt, request in ATTEMPTS.items():
            async with connected(url, "127.0.0.2") as connection:
                head, body = await connection.asks(request)
            assert head.startswith(b"HTTP/1.1 200 "), (attempt, head)
            assert body == b"127.0.0.2", attempt
