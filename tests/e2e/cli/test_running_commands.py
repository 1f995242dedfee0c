"""The commands that run until a signal stops them, with signals as a terminal sends them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from app.config import Settings
from app.embedded.process import free_port
from tests.support.metrics import samples_of
from tests.support.processes.cli_process import environment, is_alive, kill, line_with, run, start, workers_of
from tests.support.processes.embedded_process import command_lines, processes
from tests.support.processes.server_process import ServerProcess
from tests.support.stores import private_folder
from tests.support.wait_until import until

SECRETS = {
    "JWT_SECRET": "a secret of this test alone, for access",
    "ACTION_TOKEN_SECRET": "a secret of this test alone, for actions",
}


@pytest.fixture
async def folder() -> AsyncIterator[Path]:
    """Create an empty folder for the test."""
    with private_folder() as folder:
        yield folder


async def url_when_started(process: asyncio.subprocess.Process) -> str:
    """Return the URL of a server once `dev` prints it."""
    return re.sub(r"^\s*GraphQL\s+|/graphql\s*$", "", await line_with(process.stdout, "  GraphQL  "))


async def wait_until_alive(url: str) -> None:
    """Wait until the server at `url` answers."""
    async with asyncio.timeout(30), httpx2.AsyncClient(base_url=url, timeout=5) as http:
        while True:
            with suppress(httpx2.TransportError):
                (await http.get("/livez")).raise_for_status()
                return
            await asyncio.sleep(0.05)


async def stop(process: asyncio.subprocess.Process, *numbers: signal.Signals) -> str:
    """Send signals to the process group, wait for the end, and return what was written to standard error."""
    for number in numbers:
        os.killpg(process.pid, number)
    _, err = await asyncio.wait_for(process.communicate(), 30)
    return err.decode()


async def test_dev_serves_keeps_its_data_and_leaves_no_process_behind(folder: Path):
    env = environment(PORT="0")
    first = await start("dev", env=env, cwd=folder)
    second = None
    try:
        url = await url_when_started(first)
        token = (await line_with(first.stdout, "eyJ")).strip()
        async with httpx2.AsyncClient(base_url=url, timeout=20) as http:
            ask = {"query": "{ me { user { username } rank { rank score } } leaderboard { totalUsers } }"}
            answer = (await http.post("/graphql", json=ask, headers={"authorization": f"Bearer {token}"})).json()
        assert answer["data"]["me"]["user"] == {"username": "ada"}
        assert answer["data"]["me"]["rank"]["score"] > 0
        assert answer["data"]["leaderboard"]["totalUsers"] > 20
        verified = await run("verify", env=env, cwd=folder)
        assert verified.code == 0, verified

        # As Ctrl-C in a terminal may arrive: at every process of the group, and more than once.
        err = await stop(first, signal.SIGINT, signal.SIGINT)
        assert first.returncode == 0
        assert "Traceback" not in err
        assert processes(folder) == []

        second = await start("dev", env=env, cwd=folder)
        async with httpx2.AsyncClient(base_url=await url_when_started(second), timeout=20) as http:
            again = (await http.post("/graphql", json={"query": "{ leaderboard { totalUsers } }"})).json()
        assert again["data"]["leaderboard"] == answer["data"]["leaderboard"]
        err = await stop(second, signal.SIGTERM)
        assert second.returncode == 0
        assert "Traceback" not in err
        assert processes(folder) == []
    finally:
        await kill(first)
        if second is not None:
            await kill(second)


@pytest.mark.parametrize("program", ["app.embedded.daemon", "bin/initdb", "bin/postgres -D"])
async def test_ctrl_c_while_dev_is_still_starting_leaves_nothing_behind(folder: Path, program: str):
    process = await start("dev", env=environment(PORT="0"), cwd=folder)
    try:
        await until(lambda: any(program in line for line in command_lines(folder).values()), timeout=50)
        err = await stop(process, signal.SIGINT)
        assert "Traceback" not in err
        # When `dev` has ended, the daemon has ended too; the kernel may still be removing its last child.
        assert not any("app.embedded.daemon" in line for line in command_lines(folder).values())
        await until(lambda: processes(folder) == [], timeout=30)
    finally:
        await kill(process)


async def test_ctrl_c_before_dev_has_begun_to_start_leaves_nothing_behind(folder: Path):
    process = await start("dev", env=environment(PORT="0"), cwd=folder)
    try:
        await line_with(process.stderr, "Starting PostgreSQL")
        err = await stop(process, signal.SIGINT)
        assert "Traceback" not in err
        await until(lambda: processes(folder) == [], timeout=30)
    finally:
        await kill(process)


async def test_a_broken_data_folder_is_one_line(folder: Path):
    (folder / ".data").write_text("this is not a folder")
    ended = await run("dev", env=environment(PORT="0"), cwd=folder)
    assert ended.code == 1
    assert ended.err.splitlines()[-1].startswith("leaderboard: the data folder .data")
    assert "Traceback" not in ended.err


async def test_dev_refuses_to_run_in_production(folder: Path, settings: Settings):
    ended = await run("dev", env=environment(settings, ENVIRONMENT="production", **SECRETS), cwd=folder)
    assert ended.code == 1
    assert "`leaderboard serve`" in ended.err


async def test_simulated_players_of_one_machine_get_no_error_but_their_own_rate_limits(folder: Path):
    server = await start("dev", env=environment(PORT="0"), cwd=folder)
    try:
        await url_when_started(server)
        # Without --url: the server listens on a free port, and is found by the folder.
        ended = await run("play", "--players", "60", "--rate", "40", "--seconds", "5", cwd=folder, env=environment())
        assert ended.code == 0, ended
        outcomes = set(re.findall(r"^ ([A-Z_]+) +\d+", ended.out, re.MULTILINE))
        assert "ACCEPTED" in outcomes
        assert outcomes <= {"ACCEPTED", "RATE_LIMITED"}
        assert (await run("verify", env=environment(), cwd=folder)).code == 0
        await stop(server, signal.SIGINT)
    finally:
        await kill(server)


async def test_workers_share_a_port_and_one_that_dies_is_replaced(settings: Settings):
    port = free_port()
    mistakes = {"JWT_SECERT": "x", "DB_POOL_MAX": "5000"}
    token = "metrics-" * 4
    metrics = {"METRICS_TOKEN": token}
    env = environment(settings, WORKERS="2", PORT=str(port), ENVIRONMENT="production", **metrics, **SECRETS, **mistakes)
    server = await start("serve", env=env)
    try:
        url = f"http://127.0.0.1:{port}"
        await line_with(server.stderr, "JWT_SECERT has no effect: did you mean JWT_SECRET?")
        await line_with(server.stderr, "an instance may open 10016 connections")
        victim, _ = [json.loads(await line_with(server.stderr, "worker_serves"))["pid"] for _ in range(2)]
        await check_scrape(url, token)
        os.kill(victim, signal.SIGKILL)
        await line_with(server.stderr, "worker_serves")
        assert len(workers_of(server.pid)) == 2
        await check_scrape(url, token)
        await wait_until_alive(url)
        children = workers_of(server.pid)
        server.send_signal(signal.SIGTERM)
        _, err = await asyncio.wait_for(server.communicate(), 30)
        assert server.returncode == 0
        assert b"Traceback" not in err
        assert not any(is_alive(child) for child in children)
    finally:
        await kill(server)


async def check_scrape(url: str, token: str) -> None:
    """Check that one scrape shows the metrics of both workers, to whom has the token."""
    async with httpx2.AsyncClient(base_url=url, timeout=30) as http:
        assert (await http.get("/metrics")).status_code == 401
        answer = await http.get("/metrics", headers={"authorization": f"Bearer {token}"})
    samples = samples_of(answer.text)
    for worker in "01":
        assert samples[f'leaderboard_worker_up{{worker="{worker}"}}'] == 1
        assert samples[f'process_resident_memory_bytes{{worker="{worker}"}}'] > 0
        assert f'leaderboard_event_loop_lag_seconds_count{{worker="{worker}"}}' in samples


async def test_workers_do_not_outlive_a_parent_that_was_killed(settings: Settings):
    port = free_port()
    env = environment(settings, WORKERS="2", PORT=str(port))
    server = await start("serve", env=env)
    try:
        for _ in range(2):
            await line_with(server.stderr, "worker_serves")
        children = workers_of(server.pid)
        server.kill()
        await until(lambda: not any(is_alive(child) for child in children), timeout=30)
    finally:
        await kill(server)


async def test_a_watched_board_is_shown_again_after_the_server_restarted(settings: Settings):
    async with ServerProcess(settings) as server:
        await server.start()
        watching = await start("watch", "--updates", "2", "--url", server.url, env=environment(settings))
        try:
            await line_with(watching.stdout, "0 players")
            await server.kill()
            await server.start()
            # The snapshot after the reconnect is the second message, and so the last.
            assert await asyncio.wait_for(watching.wait(), 60) == 0
        finally:
            await kill(watching)
