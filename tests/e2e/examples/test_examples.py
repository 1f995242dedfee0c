"""Every example does what it says."""

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from graphql import build_schema, is_abstract_type, is_object_type
from playwright.async_api import Browser, Route, expect

from tests.support.browser import tab
from tests.support.file_server import serve_folder
from tests.support.service import Service, serving, settings_for
from tests.support.wait_until import TIMEOUT

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples"
PACKAGES = ROOT / "web/node_modules"

EXAMPLE_PACKAGES = EXAMPLES / "node_modules"
CODEGEN = ROOT / ".uv/codegen/bin"

needs_example_packages = pytest.mark.skipif(
    shutil.which("node") is None or not EXAMPLE_PACKAGES.is_dir(),
    reason="no Node, or the packages of the examples are not installed: make examples/node_modules/.package-lock.json",
)
needs_codegen = pytest.mark.skipif(
    not (CODEGEN / "ariadne-codegen").is_file(), reason="not installed: make .uv/codegen/bin/ariadne-codegen"
)
needs_packages = pytest.mark.skipif(
    shutil.which("node") is None or not PACKAGES.is_dir(), reason="no Node, or its packages are not installed: make web"
)


def copy_example(folder: Path, example: str, packages: Path = PACKAGES) -> Path:
    """Copy an example, with packages and the schema, so that the original stays unchanged."""
    copy = folder / "examples" / example
    generated = shutil.ignore_patterns("__generated__", "board_client", "__pycache__")
    shutil.copytree(EXAMPLES / example, copy, ignore=generated)
    shutil.copy(ROOT / "schema.graphql", folder)
    (copy / "node_modules").symlink_to(packages)
    return copy


@asynccontextmanager
async def running(*command: str, cwd: Path | None = None) -> AsyncIterator[asyncio.StreamReader]:
    """Run a program during the block, and yield its output; its child processes are killed at the end."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        os.killpg(process.pid, 9)
        await asyncio.wait_for(process.wait(), TIMEOUT)


async def expect_line(output: asyncio.StreamReader, pattern: str) -> None:
    """Read until a line matches."""
    async with asyncio.timeout(TIMEOUT):
        while line := await output.readline():
            if re.search(pattern, line.decode()):
                return
    pytest.fail(f"it ended without a line like {pattern}")


async def assert_watches(service: Service, output: asyncio.StreamReader) -> None:
    """Check that the program prints a snapshot, and then an update."""
    await expect_line(output, r"^SNAPSHOT: nobody yet$")
    await service.player("alice").play("COMPLETE_LEVEL")
    await expect_line(output, r"^UPDATE: 1\. alice 50$")


async def test_python_watches_with_gql(service: Service):
    async with running(sys.executable, str(EXAMPLES / "python/watch.py"), service.socket_url) as output:
        await assert_watches(service, output)


@needs_packages
async def test_node_watches_with_graphql_ws(service: Service, tmp_path: Path):
    folder = copy_example(tmp_path, "graphql-ws")
    # Node 20 has sockets behind a flag; later ones ignore it.
    command = ("node", "--experimental-websocket", "watch.mjs", service.socket_url)
    async with running(*command, cwd=folder) as output:
        await assert_watches(service, output)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
async def test_curl_watches_server_sent_events(service: Service):
    async with running("sh", str(EXAMPLES / "curl/watch.sh"), f"{service.url}/graphql") as output:
        await expect_line(output, r'^data: .*"kind":"SNAPSHOT"')
        await service.player("alice").play("COMPLETE_LEVEL")
        await expect_line(output, r'^data: .*"kind":"UPDATE".*"alice"')


@needs_example_packages
async def test_node_watches_with_graphql_sse(service: Service, tmp_path: Path):
    folder = copy_example(tmp_path, "graphql-sse", EXAMPLE_PACKAGES)
    async with running("node", "watch.mjs", f"{service.url}/graphql", cwd=folder) as output:
        await assert_watches(service, output)


@needs_example_packages
async def test_the_cache_of_urql_is_kept_current_by_a_subscription(service: Service, tmp_path: Path):
    folder = copy_example(tmp_path, "urql", EXAMPLE_PACKAGES)
    # urql warns of types that its cache has no key for: what it says belongs to the output.
    command = f"exec node --experimental-websocket watch.mjs {service.url}/graphql 2>&1"
    async with running("sh", "-c", command, cwd=folder) as output:
        lines = []
        async with asyncio.timeout(TIMEOUT):
            lines.append((await output.readline()).decode())
            while "0 players: nobody yet" not in lines[-1]:
                lines.append((await output.readline()).decode())
            await service.player("alice").play("COMPLETE_LEVEL")
            while "1 players: 1. alice 50" not in lines[-1]:
                lines.append((await output.readline()).decode())
    assert [line for line in lines if "Invalid key" in line or "No key" in line] == []


@needs_example_packages
async def test_relay_compiles_the_schema_and_pages_through_a_board(service: Service, tmp_path: Path):
    folder = copy_example(tmp_path, "relay", EXAMPLE_PACKAGES)
    await run(str(EXAMPLE_PACKAGES / ".bin/relay-compiler"), cwd=folder)
    for name in ("alice", "bob", "carol"):
        await service.player(name).play("COMPLETE_LEVEL")
    async with running("node", "standings.mjs", f"{service.url}/graphql", cwd=folder) as output:
        await expect_line(output, r"^2 of 3: 1\. alice 50, 2\. bob 50$")
        await expect_line(output, r"^3 of 3: 1\. alice 50, 2\. bob 50, 3\. carol 50$")


@needs_codegen
async def test_python_watches_with_a_client_that_ariadne_codegen_makes(service: Service, tmp_path: Path):
    folder = copy_example(tmp_path, "ariadne-codegen")
    await run(str(CODEGEN / "ariadne-codegen"), cwd=folder)
    async with running(str(CODEGEN / "python"), "watch.py", f"{service.url}/graphql", cwd=folder) as output:
        await expect_line(output, "^0 players$")
        await assert_watches(service, output)


async def run(*command: str, cwd: Path) -> None:
    """Run a program to its end, which must be a good one."""
    process = await asyncio.create_subprocess_exec(*command, cwd=cwd)
    assert await asyncio.wait_for(process.wait(), 50) == 0


@needs_packages
async def test_apollo_shows_a_live_board_from_another_origin(
    browser: Browser, database_url: str, redis_url: str, tmp_path: Path
):
    folder = copy_example(tmp_path, "apollo")
    (folder / "public").mkdir()
    with serve_folder(folder / "dist") as origin:
        async with serving(settings_for(database_url, redis_url, allowed_origins=(origin,))) as service:
            (folder / "public/token").write_text(service.player("carol").token or "")
            await build(folder, VITE_SERVICE=service.url, VITE_TOKENS=f"{origin}/token")
            await service.player("alice").play("COMPLETE_LEVEL")
            async with tab(browser, origin) as one:
                await one.visit()
                lines = one.page.get_by_role("listitem")
                await expect(lines).to_have_text(["alice: 50"])
                await service.player("bob").play("COMPLETE_MISSION", difficulty="hard")
                await expect(lines).to_have_text(["bob: 100", "alice: 50"])
                await expect(one.page.get_by_role("list")).to_have_attribute("aria-label", "2 players")


@needs_packages
async def test_apollo_tries_again_when_the_service_is_away_for_a_moment(
    browser: Browser, database_url: str, redis_url: str, tmp_path: Path
):
    folder = copy_example(tmp_path, "apollo")
    with serve_folder(folder / "dist") as origin:
        async with serving(settings_for(database_url, redis_url, allowed_origins=(origin,))) as service:
            await build(folder, VITE_SERVICE=service.url)
            await service.player("alice").play("COMPLETE_LEVEL")
            refusals = [
                {"status": 502, "content_type": "text/html", "body": "Bad Gateway"},
                {
                    "status": 503,
                    "content_type": "application/graphql-response+json",
                    "body": '{"errors":[{"message":"","extensions":{"code":"SERVICE_UNAVAILABLE","retryAfter":0}}]}',
                },
            ]

            async def refuse(route: Route) -> None:
                if route.request.method == "OPTIONS" or not refusals:
                    await route.continue_()
                else:
                    await route.fulfill(headers={"access-control-allow-origin": origin}, **refusals.pop(0))

            async with tab(browser, origin) as one:
                await one.page.route(f"{service.url}/graphql**", refuse)
                await one.visit()
                await expect(one.page.get_by_role("listitem")).to_have_text(["alice: 50"])
            assert refusals == []


async def build(folder: Path, **environment: str) -> None:
    """Turn the Apollo example into files that a browser can load."""
    command = ("node", str(PACKAGES / "vite/bin/vite.js"), "build", "--logLevel=warn")
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=os.environ | environment)
    assert await asyncio.wait_for(process.wait(), 50) == 0


async def test_the_apollo_component_has_at_most_sixty_lines():
    assert len((EXAMPLES / "apollo/Board.tsx").read_text().splitlines()) <= 60


@needs_packages
async def test_the_apollo_example_is_sound_typescript(tmp_path: Path):
    folder = copy_example(tmp_path, "apollo")
    options = {
        "strict": True,
        "noEmit": True,
        "skipLibCheck": True,
        "target": "es2023",
        "lib": ["es2023", "dom"],
        "module": "esnext",
        "moduleResolution": "bundler",
        "jsx": "react-jsx",
    }
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "include": ["*.ts", "*.tsx"]}))
    check = await asyncio.create_subprocess_exec(str(PACKAGES / ".bin/tsc"), "-p", str(folder))
    assert await asyncio.wait_for(check.wait(), 50) == 0


def test_the_guide_quotes_the_examples_as_they_are():
    guide = (ROOT / "docs/apollo.md").read_text()
    sources = {
        path.name: re.sub(r"\s+", " ", path.read_text())
        for path in EXAMPLES.rglob("*")
        if path.suffix in (".ts", ".tsx", ".mjs")
    }
    quotes = re.findall(r"```tsx? (\S+)\n(.*?)```", guide, re.DOTALL)
    assert quotes
    for name, quote in quotes:
        for piece in quote.split("// …\n"):
            assert re.sub(r"\s+", " ", piece).strip() in sources[name], f"{name} does not hold:\n{piece}"


def test_the_possible_types_of_the_example_are_those_of_the_schema():
    schema = build_schema((ROOT / "schema.graphql").read_text())
    expected = {
        name: sorted(member.name for member in schema.get_possible_types(type_))
        for name, type_ in sorted(schema.type_map.items())
        if is_abstract_type(type_)
    }
    text = (EXAMPLES / "apollo" / "possibleTypes.ts").read_text()
    assert json.loads(text[text.index("{") :]) == expected


def test_the_keys_of_the_urql_example_name_every_type_without_an_id():
    schema = build_schema((ROOT / "schema.graphql").read_text())
    roots = {schema.query_type, schema.mutation_type, schema.subscription_type}
    expected = [
        name
        for name, type_ in sorted(schema.type_map.items())
        if is_object_type(type_) and type_ not in roots and not name.startswith("__") and "id" not in type_.fields
    ]
    assert re.findall(r"(\w+): \(\) => null", (EXAMPLES / "urql" / "keys.mjs").read_text()) == expected
