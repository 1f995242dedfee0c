"""The package for TypeScript, in Node and in a browser, with a real service."""

import asyncio
import json
import re
import shutil
import tarfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from app.config import Settings
from app.domain.users import Role
from tests.support.browser import tab
from tests.support.file_server import serve_folder
from tests.support.processes.node_program import Line, node_program
from tests.support.processes.server_process import ServerProcess
from tests.support.service import Service, access_token, serving, settings_for
from tests.support.wait_until import TIMEOUT

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "clients/typescript"
WATCH = PACKAGE / "test/service/watch.mjs"
PLAY = PACKAGE / "test/service/play.mjs"
LEVEL = {"actionType": "COMPLETE_LEVEL"}
EXPIRES_DURING_TEST = 1
"""The lifetime of an access token, in seconds, that expires during a test."""

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (PACKAGE / "dist/index.js").is_file(),
    reason="no Node, or the package is not built: make clients",
)


def endpoint(service: Service | ServerProcess) -> str:
    return f"{service.url}/graphql"


def has_entries(*entries: tuple[str, int]) -> Any:
    return lambda line: line.get("entries") == [list(entry) for entry in entries]


async def run(*command: str, cwd: Path) -> str:
    """Run a program to its end, which must be a good one, and return what it printed."""
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT)
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_its_unit_tests_pass():
    await run("node", "--experimental-websocket", "--no-warnings", "--test", "test/unit/", cwd=PACKAGE)


class TestWatching:
    async def test_a_board_is_live_over_a_socket(self, service: Service):
        async with node_program(WATCH, url=endpoint(service)) as program:
            await program.line(has_entries())
            await service.player("alice").play("COMPLETE_LEVEL")
            update = await program.line(has_entries(("alice", 50)))
            assert update["changed"] == ["alice"]
            assert {"number": 0, "connection": {"state": "live", "transport": "websocket"}} in program.lines

    async def test_the_neighbours_of_a_player_are_live(self, service: Service):
        receipts = [await service.player(name).play("COMPLETE_LEVEL") for name in ("alice", "bob", "carol")]
        view = {"around": receipts[2]["user"]["id"], "radius": 1}
        async with node_program(WATCH, url=endpoint(service), view=view) as program:
            await program.line(lambda line: line.get("entries"))
            await service.player("carol").play("COMPLETE_LEVEL")
            await program.line(lambda line: line.get("entries", [None])[0] == ["carol", 100])

    async def test_a_board_survives_that_the_server_is_killed_and_never_goes_back(self, settings: Settings):
        async with ServerProcess(settings) as server, serving(settings) as other:
            await server.start()
            async with node_program(WATCH, url=endpoint(server)) as program:
                await other.player("alice").play("COMPLETE_LEVEL")
                await program.line(has_entries(("alice", 50)))
                await server.kill()
                await program.line(lambda line: line.get("connection", {}).get("state") == "reconnecting")
                await other.player("bob").play("COMPLETE_MISSION", difficulty="hard")
                await server.start()
                await program.line(has_entries(("bob", 100), ("alice", 50)))
                await other.player("bob").play("COMPLETE_LEVEL")
                await program.line(has_entries(("bob", 150), ("alice", 50)))
                assert versions_going_back(program.lines) == []

    async def test_where_sockets_are_blocked_it_is_live_over_server_sent_events(self, service: Service):
        async with node_program(WATCH, url=endpoint(service), blocked=["websocket"]) as program:
            await program.live("sse")
            await service.player("alice").play("COMPLETE_LEVEL")
            await program.line(has_entries(("alice", 50)))

    async def test_where_nothing_may_stay_open_it_is_polled(self, service: Service):
        blocked = ["websocket", "sse"]
        receipt = await service.player("alice").play("COMPLETE_LEVEL")
        user = {"userId": receipt["user"]["id"]}
        async with (
            node_program(WATCH, url=endpoint(service), blocked=blocked) as board,
            node_program(WATCH, url=endpoint(service), blocked=blocked, player=True, view=user) as player,
        ):
            await board.live("polling")
            await player.live("polling")
            await service.player("alice").play("COMPLETE_LEVEL")
            await board.line(has_entries(("alice", 100)))
            await player.line(lambda line: line.get("score") == 100)

    @pytest.mark.parametrize("blocked", [[], ["websocket"], ["websocket", "sse"]])
    async def test_the_player_who_is_signed_in_is_live_and_an_expired_token_is_replaced(
        self, service: Service, blocked: list[str]
    ):
        tokens = [access_token(service.settings, "alice", ttl=ttl) for ttl in (EXPIRES_DURING_TEST, 900)]
        async with node_program(WATCH, url=endpoint(service), tokens=tokens, player=True, blocked=blocked) as program:
            await program.line(lambda line: line.get("asked") == 1)
            await service.player("alice").play("COMPLETE_LEVEL")
            update = await program.line(lambda line: line.get("score") == 50)
            assert update["name"] == "alice"
            assert [line["asked"] for line in program.lines if "asked" in line] == [0, 1]

    @pytest.mark.parametrize("blocked", [[], ["websocket"]])
    async def test_when_another_user_signs_in_the_connection_is_that_users(self, service: Service, blocked: list[str]):
        users = [access_token(service.settings, name) for name in ("alice", "bob")]
        async with node_program(WATCH, url=endpoint(service), users=users, player=True, blocked=blocked) as program:
            await program.line(lambda line: line.get("name") == "alice")
            await program.line(lambda line: line.get("name") == "bob")

    async def test_a_token_without_a_successor_ends_the_watching(self, service: Service):
        async with node_program(WATCH, url=endpoint(service), tokens=["no token"], player=True) as program:
            stopped = await program.line(lambda line: line.get("connection", {}).get("state") == "stopped")
            assert stopped["connection"]["failure"] == {"kind": "unauthenticated", "expired": False}

    async def test_the_oldest_of_too_many_sockets_of_a_user_stops(self, service: Service):
        tokens = [access_token(service.settings, "alice")]
        async with node_program(WATCH, url=endpoint(service), tokens=tokens, clients=4) as program:
            stopped = await program.line(lambda line: line.get("connection", {}).get("state") == "stopped")
            assert stopped == {"number": 0, "connection": {"state": "stopped", "failure": {"kind": "displaced"}}}

    async def test_an_unknown_category_ends_the_watching_with_the_reason(self, service: Service):
        async with node_program(WATCH, url=endpoint(service), view={"category": "nothing"}) as program:
            stopped = await program.line(lambda line: line.get("connection", {}).get("state") == "stopped")
            assert stopped["connection"]["failure"]["code"] == "CATEGORY_NOT_FOUND"

    async def test_over_a_limit_it_waits_as_long_as_the_service_says(self, database_url: str, redis_url: str):
        limits = {"rate_limit_enabled": True, "rate_limit_anonymous_per_address": 1}
        async with serving(settings_for(database_url, redis_url, **limits)) as service:
            async with node_program(WATCH, url=endpoint(service)) as program:
                await program.live("websocket")
            async with node_program(WATCH, url=endpoint(service)) as program:
                waiting = await program.line(lambda line: line.get("connection", {}).get("state") == "waiting")
                assert waiting["connection"]["failure"]["kind"] == "rate-limited"
                assert waiting["connection"]["failure"]["retryAfter"] > 1


def versions_going_back(lines: list[Line]) -> list[tuple[Line, Line]]:
    """Return the updates whose version is lower than that of the update before, in the same epoch."""
    updates = [line for line in lines if "version" in line]
    return [
        (before, after)
        for before, after in pairwise(updates)
        if before["epoch"] == after["epoch"] and after["version"] < before["version"]
    ]


class TestPlaying:
    @staticmethod
    async def play(service: Service, *actions: Line, **options: Any) -> list[Line]:
        tokens = options.pop("tokens", None) or [access_token(service.settings, "alice")]
        async with node_program(PLAY, url=endpoint(service), tokens=tokens, actions=actions, **options) as program:
            return await program.end()

    async def test_an_answer_that_was_lost_is_paid_once(self, service: Service):
        lines = await self.play(service, LEVEL, lost=2)
        assert lines[-1]["outcome"] == "paid"
        assert lines[-1]["repeated"] is True
        assert lines[-1]["receipt"]["newScore"] == lines[-1]["receipt"]["scoreDelta"] == 50
        submissions = [line["token"] for line in lines if line.get("operation") == "SubmitScore"]
        assert len(submissions) == 3
        assert len(set(submissions)) == 1

    async def test_an_expired_access_token_is_replaced(self, service: Service):
        expired = access_token(service.settings, "alice", ttl=-10)
        lines = await self.play(service, LEVEL, tokens=[expired, access_token(service.settings, "alice")])
        assert lines[-1]["outcome"] == "paid"
        assert [line["asked"] for line in lines if "asked" in line] == [0, 1]

    async def test_refusals_are_values(self, service: Service):
        unknown, paid, again = (
            line for line in await self.play(service, {"actionType": "NOTHING"}, LEVEL, LEVEL) if "outcome" in line
        )
        assert unknown["refusal"]["__typename"] == "InvalidAction"
        assert paid["receipt"]["newScore"] == 50
        assert paid["repeated"] is False
        assert again["receipt"]["newScore"] == 100

    async def test_an_action_that_takes_time_is_submitted_when_it_may_be(self, service: Service):
        moderator = service.player("the moderator", Role.MODERATOR)
        action = {"id": "SPRINT", "name": "Sprint", "points": 20, "minDuration": 1, "category": "global", "reason": "r"}
        await moderator.ask("mutation S($input: SaveActionInput!) { saveAction(input: $input) { id } }", input=action)
        lines = await self.play(service, {"actionType": "SPRINT"})
        assert lines[-1]["outcome"] == "paid"
        assert [line["operation"] for line in lines if "operation" in line][1:] == ["SubmitScore"] * 2

    async def test_a_refused_submission_is_repeated_after_the_time_that_the_service_says(
        self, database_url: str, redis_url: str
    ):
        limits = {"rate_limit_enabled": True, "rate_limit_global_per_second": 1}
        async with serving(settings_for(database_url, redis_url, **limits)) as service:
            lines = await self.play(service, LEVEL, LEVEL)
        assert [line["outcome"] for line in lines if "outcome" in line] == ["paid", "paid"]
        requests = [line for line in lines if "operation" in line]
        refused = [(line, following) for line, following in pairwise(requests) if line["refusal"]]
        assert refused
        for line, following in refused:
            assert following["at"] - line["at"] >= line["refusal"]["retryAfter"] * 1000
            assert following["operation"] == line["operation"]

    async def test_a_longer_wait_than_allowed_is_left_to_the_game(self, database_url: str, redis_url: str):
        limits = {"rate_limit_enabled": True, "rate_limit_submit_per_user": 1}
        async with serving(settings_for(database_url, redis_url, **limits)) as service:
            lines = await self.play(service, LEVEL, LEVEL, maxRetryAfter=1)
        paid, failed = (line for line in lines if "outcome" in line)
        assert paid["outcome"] == "paid"
        assert failed["failure"]["kind"] == "rate-limited"
        assert failed["failure"]["retryAfter"] > 1


def tutorial() -> list[str]:
    """Return the pieces of code in the tutorial, of which each is a module."""
    text = (PACKAGE / "README.md").read_text().partition("## Reference")[0]
    snippets = re.findall(r"```tsx?\n(.*?)```", text, re.DOTALL)
    assert len(snippets) == 4
    return snippets


UNNAMED_IN_THE_TUTORIAL = """
declare const token: string
declare const auth: { getAccessToken(options: { ignoreCache: boolean }): Promise<string> }
"""


async def test_a_new_project_and_the_tutorial_compile_strictly_and_run(service: Service, tmp_path: Path):
    """What `npm install` makes of the packed package, without the network."""
    packed = json.loads(
        await run("npm", "pack", "--ignore-scripts", "--json", "--pack-destination", str(tmp_path), cwd=PACKAGE)
    )
    installed = tmp_path / "node_modules/leaderboard-client"
    installed.mkdir(parents=True)
    with tarfile.open(tmp_path / packed[0]["filename"]) as tarball:
        tarball.extractall(tmp_path, filter="data")
    (tmp_path / "package").rename(installed)
    assert {path.name for path in installed.iterdir()} == {
        "dist",
        "package.json",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
    }
    for name in ("graphql-ws", "graphql", "react", "@types"):
        (tmp_path / "node_modules" / name).symlink_to(PACKAGE / "node_modules" / name)
    shutil.copytree(PACKAGE / "test/project", tmp_path, dirs_exist_ok=True)
    for number, snippet in enumerate(tutorial()):
        (tmp_path / f"tutorial{number}.tsx").write_text(f"{UNNAMED_IN_THE_TUTORIAL}{snippet}")
    await run("node", str(PACKAGE / "node_modules/typescript/bin/tsc"), cwd=tmp_path)
    token = access_token(service.settings, "alice")
    output = await run("node", "--experimental-websocket", "main.js", endpoint(service), token, cwd=tmp_path)
    assert output.splitlines() == ["before: nobody", "50 points, 50 in all", "after: 1. alice 50"]


async def test_react_shows_a_live_board_in_a_browser_and_plays(
    browser: Browser, database_url: str, redis_url: str, tmp_path: Path
):
    await run("node", "test/browser/build.mjs", str(tmp_path), cwd=PACKAGE)
    with serve_folder(tmp_path) as origin:
        async with serving(settings_for(database_url, redis_url, allowed_origins=(origin,))) as service:
            token = access_token(service.settings, "alice")
            async with tab(browser, origin) as one:
                await one.visit(f"/?url={endpoint(service)}&token={token}")
                connection, lines = one.page.get_by_role("status"), one.page.get_by_role("listitem")
                await expect(connection).to_have_text("live")
                await service.player("bob").play("COMPLETE_MISSION", difficulty="hard")
                await expect(lines).to_have_text(["1. bob 100"])
                await one.page.get_by_role("button", name="Play").click()
                await expect(lines).to_have_text(["1. bob 100", "2. alice 50"])
                await expect(one.page.get_by_role("note")).to_have_text("paid 50, rank 2")
                await one.page.get_by_role("button", name="arcade").click()
                await expect(lines).to_have_text([])
                assert one.errors == []
