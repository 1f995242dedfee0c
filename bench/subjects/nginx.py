"""Run nginx with the delivered configuration, in front of instances on this machine."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

CONFIGURATION = Path(__file__).resolve().parents[2] / "docker" / "nginx.conf"
PROGRAM = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
START_TIMEOUT = 30


def render(ports: Sequence[int], port: int, folder: Path) -> str:
    """Return the delivered configuration with these instances, on this port; nothing else is changed.

    Raises:
        ValueError: The configuration has no longer the lines that are replaced.
    """
    servers = "".join(f"server 127.0.0.1:{each} max_fails=0;\n" for each in ports)
    text, replaced = re.subn(r"( *server app-\d:8000 max_fails=0;\n)+", servers, CONFIGURATION.read_text())
    text, listening = re.subn(r"listen 8080\b", f"listen 127.0.0.1:{port}", text)
    if (replaced, listening) != (1, 1):
        raise ValueError(f"{CONFIGURATION} has other servers than expected")
    folders = "".join(
        f"    {name}_temp_path {folder / name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"pid {folder / 'nginx.pid'};\n" + text.replace("http {\n", "http {\n" + folders, 1)


@contextmanager
def nginx(ports: Sequence[int]) -> Iterator[int]:
    """Run nginx during the block, and yield its port on 127.0.0.1.

    Raises:
        OSError: nginx is not installed, or does not start.
    """
    if PROGRAM is None:
        raise OSError("nginx must be installed (Debian: nginx)")
    with tempfile.TemporaryDirectory() as name, socket.socket() as free:
        folder = Path(name)
        folder.chmod(0o755)  # The worker processes run as another user.
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        file = folder / "nginx.conf"
        file.write_text(render(ports, port, folder))
        command = [PROGRAM, "-p", name, "-c", str(file), "-g", "daemon off;"]
        # It logs each attempt to connect to an instance that is being replaced.
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            _await(process, port)
            yield port
        finally:
            process.terminate()
            process.wait(START_TIMEOUT)


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise OSError("nginx does not start")
