"""Run the nginx of the machine with the delivered configuration, in front of instances of a test."""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.embedded.process import free_port
from tests.support.wait_until import TIMEOUT, until

CONFIGURATION = Path(__file__).parents[3] / "docker" / "nginx"
PROGRAM = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
needs_nginx = pytest.mark.skipif(
    PROGRAM is None, reason="nginx is not installed: apt-get install nginx, or `make test-deps` as root"
)

HTTP2 = (1, 25, 1)
"""The first version with the directive `http2`; older ones have a parameter of `listen`."""


@dataclass(frozen=True)
class Nginx:
    """A running nginx: its URL without TLS, and the one with TLS if it has a certificate."""

    http: str
    https: str


@asynccontextmanager
async def delivered_nginx(
    folder: Path,
    instances: Sequence[int],
    *,
    certificate: Path | None = None,
    key: Path | None = None,
    changes: Mapping[str, str] | None = None,
) -> AsyncIterator[Nginx]:
    """Run nginx with the files of `docker/nginx` during the block.

    Addresses and paths of the containers are replaced by those of the test. The name that has one address for each
    instance is replaced by these addresses, because Debian's nginx cannot resolve it again and again.

    Args:
        folder: Where nginx has its files.
        instances: The ports of the instances on the loopback interface.
        certificate: The certificate for `https.conf`; without it `http.conf` is used.
        key: The key of the certificate.
        changes: Further replacements of lines, each of which must occur.
    """
    http, https = free_port(), free_port()
    servers = "".join(f"server 127.0.0.1:{port} max_fails=0;\n" for port in instances)
    replaced = {
        "server app:8000 resolve max_fails=0;\n": servers,
        "listen 8080 ": f"listen 127.0.0.1:{http} ",
        "listen 8443 ": f"listen 127.0.0.1:{https} ",
        "/run/secrets/tls_certificate": str(certificate),
        "/run/secrets/tls_key": str(key),
        "error_log /dev/stderr warn;": f"error_log stderr warn; pid {folder}/nginx.pid;",
        "worker_processes auto;": "worker_processes 1; daemon off; master_process off;",
        "http {": "http {"
        + "".join(f"{name}_temp_path {folder};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")),
        "    http2 on;\n": "    http2 on;\n" if _version() >= HTTP2 else "",
        **(changes or {}),
    }
    server = "https.conf" if certificate else "http.conf"
    unused = set(replaced)
    for source, target in (("nginx.conf", "nginx.conf"), ("service.conf", "service.conf"), (server, "server.conf")):
        text = (CONFIGURATION / source).read_text()
        for old, new in replaced.items():
            if old in text:
                unused.discard(old)
                text = text.replace(old, new)
        (folder / target).write_text(text)
    of_tls = {"listen 8443 ", "/run/secrets/tls_certificate", "/run/secrets/tls_key", "    http2 on;\n"}
    assert unused == (set() if certificate else of_tls)
    assert PROGRAM is not None
    process = await asyncio.create_subprocess_exec(PROGRAM, "-p", str(folder), "-c", str(folder / "nginx.conf"))

    def is_listening() -> bool:
        assert process.returncode is None, f"nginx ended with {process.returncode}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", http)) == 0

    try:
        await until(is_listening)
        yield Nginx(f"http://127.0.0.1:{http}", f"https://127.0.0.1:{https}")
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), TIMEOUT)


def _version() -> tuple[int, ...]:
    assert PROGRAM is not None
    told = subprocess.run([PROGRAM, "-v"], capture_output=True, text=True, timeout=TIMEOUT, check=True).stderr
    found = re.search(r"nginx/([\d.]+)", told)
    assert found is not None, told
    return tuple(map(int, found[1].split(".")))
