"""The commands that end by themselves, called as a user calls them."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import re
import socket
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.config import Settings
from app.wiring import App
from tests.support.boards.ledgers import award
from tests.support.processes.cli_process import CHECKOUT, PROGRAM, environment, run
from tests.support.processes.old_redis import old_redis
from tests.support.service import BOARD, Player, Service, caller, opened
from tests.support.wait_until import until_answer

COMMANDS = (
    "serve", "dev", "migrate", "doctor", "seed", "token", "play", "watch", "top", "verify", "rebuild", "split",
    "schema", "jobs list", "jobs run", "keys create", "keys list", "keys revoke", "events tail", "events replay",
    "events endpoints add", "events endpoints list", "events endpoints remove",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
async def test_every_command_explains_itself_with_an_example(command: str):
    ended = await run(*command.split(), "--help")
    assert ended.code == 0
    assert f"leaderboard {command}" in ended.out
    assert "Examples" in ended.out


async def test_without_a_command_the_commands_are_listed():
    ended = await run()
    assert ended.code == 0
    for command in COMMANDS:
        assert command.split()[0] in ended.out


@pytest.mark.parametrize(
    ("group", "commands"),
    [
        ("catalogue", ("show", "apply")),
        ("jobs", ("list", "run")),
        ("keys", ("create", "list", "revoke")),
        ("events", ("tail", "replay", "endpoints")),
    ],
)
async def test_a_group_without_a_command_prints_its_help(group: str, commands: tuple[str, ...]):
    ended = await run(group)
    assert (ended.code, ended.err) == (0, "")
    assert all(command in ended.out for command in commands)


async def test_the_version_is_that_of_the_package():
    ended = await run("--version")
    assert (ended.code, ended.out, ended.err) == (0, f"leaderboard {importlib.metadata.version('leaderboard')}\n", "")


async def test_the_shell_completes_the_names_of_commands():
    completing = {"_LEADERBOARD_COMPLETE": "complete_bash", "COMP_WORDS": "leaderboard to", "COMP_CWORD": "1"}
    ended = await run(env=environment(**completing))
    assert ended.out.split() == ["token", "top"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tokn"], "No such command 'tokn'"),
        (["token"], "'--user': it must be given, or else `--explain`"),
        (["token", "--user", ""], "'--user': it must not be empty"),
        (["token", "--user", "  "], "'--user': it must not be empty"),
        (["token", "--user", "ada", "--ttl", "soon"], "'soon' is not a duration"),
        (["token", "--user", "ada", "--ttl", "2d"], "`--ttl` must be at most 86400 s"),
        (["token", "--user", "ada", "--role", "king"], "'king'"),
        (["keys", "create"], "Missing option '--name'"),
        (["keys", "create", "--name", "eu-1", "--expires", "soon"], "'soon' is not a duration"),
        (["seed", "--users", "0"], "--users"),
        (["top", "--period", "HOURLY"], "HOURLY"),
        (["play", "--url", "nowhere"], "'nowhere' is not a URL"),
    ],
)
async def test_misuse_is_one_line_and_exit_code_2(arguments: list[str], says: str):
    ended = await run(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    (line,) = ended.err.splitlines()
    assert says in line


async def test_all_problems_of_the_settings_are_listed_at_once():
    env = environment(ENVIRONMENT="production", PORT="high", JWT_SECRET="short", DB_POOL_MIN="60", LOG_LEVL="INFO")
    ended = await run("serve", env=env)
    assert ended.code == 1
    assert ended.err.splitlines() == [
        "leaderboard: LOG_LEVL has no effect: did you mean LOG_LEVEL?",
        "leaderboard: PORT: Input should be a valid integer, unable to parse string as an integer",
        "leaderboard: DB_POOL_MIN must not be larger than DB_POOL_MAX",
        "leaderboard: DATABASE_URL must be set in production",
        "leaderboard: REDIS_URL must be set in production",
        "leaderboard: JWT_SECRET must be at least 32 bytes long",
        "leaderboard: ACTION_TOKEN_SECRET must be set in production: the development default is not allowed",
    ]


async def test_a_token_stands_alone_on_standard_output_and_is_accepted(service: Service, settings: Settings):
    ended = await run("token", "--user", "ada", "--role", "moderator", "--ttl", "2m", env=environment(settings))
    assert (ended.code, ended.err) == (0, "")
    (token,) = ended.out.splitlines()
    me = await Player(service.http, token).ask("{ me { user { username } role } }")
    assert me == {"me": {"user": {"username": "ada"}, "role": "MODERATOR"}}


async def test_no_token_is_minted_where_an_identity_provider_issues_them():
    ended = await run("token", "--user", "ada", env=environment(JWT_JWKS_URL="https://login.example.com/keys"))
    assert ended.code == 1
    assert "JWT_JWKS_URL" in ended.err


async def test_the_schema_is_the_committed_one():
    ended = await run("schema")
    assert ended.out == (CHECKOUT / "schema.graphql").read_text()


async def test_what_breaks_clients_of_an_earlier_schema_is_listed(tmp_path: Path):
    before, declared = tmp_path / "before.graphql", tmp_path / "declared.txt"
    before.write_text((CHECKOUT / "schema.graphql").read_text() + "\nscalar Gone\n")
    ended = await run("schema", "--against", str(before))
    assert (ended.code, ended.out) == (1, "Gone was removed.\n")
    assert "Gone was removed" in ended.err
    declared.write_text("# intended\nGone was removed.\n")
    assert (await run("schema", "--against", str(before), "--declared", str(declared))).code == 0
    ended = await run("schema", "--against", str(CHECKOUT / "schema.graphql"), "--declared", str(declared))
    assert ended.code == 1
    assert "lists changes that are not there" in ended.err


async def test_verify_prints_what_it_checked(app: App, settings: Settings):
    await award(app, caller("alice"), 50)
    ended = await run("verify", env=environment(settings))
    assert ended.code == 0
    for name in ("sums", "windows", "rows", "tokens", "owners", "chains", "boards"):
        assert re.search(rf"^ *{name} .* none", ended.out, re.MULTILINE), ended.out


async def test_verify_ends_with_1_and_names_the_row_that_is_wrong(app: App, settings: Settings):
    alice = caller("alice")
    await award(app, alice, 50)
    async with app.database.begin() as connection:
        await connection.execute(text("UPDATE score_transactions SET delta = 49"))
    ended = await run("verify", env=environment(settings))
    assert ended.code == 1
    assert f"user {alice.user_id}, transaction 1" in ended.out


async def test_seeded_players_stand_on_the_board(service: Service, settings: Settings):
    env = environment(settings)
    ended = await run("seed", "--users", "30", "--actions", "60", "--category", "arcade", env=env)
    assert ended.out.startswith("Added 30 players, 60 transactions and 120 scores")
    board = (await service.anonymous.ask(BOARD, category="arcade"))["leaderboard"]
    assert board["totalUsers"] == 30
    top = await run("top", "--category", "arcade", "--limit", "3", env=env)
    for entry in board["entries"][:3]:
        assert entry["user"]["username"] in top.out
    assert (await run("verify", env=env)).code == 0


async def test_rebuild_brings_back_what_redis_lost(app: App, settings: Settings):
    await award(app, caller("alice"), 50)
    await app.redis.flushdb()
    ended = await run("rebuild", "--category", "global", env=environment(settings))
    assert ended.out == "Loaded 4 rows of 1 category\n"


async def test_split_divides_the_boards_of_a_category_while_no_instance_runs(settings: Settings):
    async with opened(settings) as app:
        await award(app, caller("alice"), 50)
        ended = await run("split", "global", "3", env=environment(settings))
        assert (ended.code, "No instance may run" in ended.err) == (1, True)
    ended = await run("split", "global", "3", env=environment(settings))
    assert ended.out == "Loaded 4 rows of global into 3 shards\n"
    assert (await run("verify", env=environment(settings))).code == 0


async def test_an_unknown_category_is_one_line(settings: Settings):
    ended = await run("top", "--category", "chess", env=environment(settings))
    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1


async def test_jobs_are_listed_and_done_on_demand(settings: Settings):
    env = environment(settings)
    assert "reconcile" in (await run("jobs", "list", env=env)).out
    assert (await run("jobs", "run", "reconcile", env=env)).out == "reconcile: done\n"
    unknown = await run("jobs", "run", "laundry", env=env)
    assert unknown.code == 1
    assert "there is no job laundry: it must be one of" in unknown.err


async def test_migrations_go_down_and_up_and_a_server_waits_for_them(settings: Settings):
    env = environment(settings, PORT="0")
    assert (await run("migrate", "--down", "base", "--yes", env=env)).code == 0
    refused = await run("serve", env=env)
    assert refused.code == 1
    assert "run `leaderboard migrate`" in refused.err
    assert (await run("migrate", env=env)).code == 0
    assert (await run("top", env=env)).code == 0


@pytest.mark.parametrize("command", ["dev", "serve", "migrate", "top"])
async def test_a_database_from_before_the_first_release_is_one_line_with_the_remedy(settings: Settings, command: str):
    engine = create_async_engine(str(settings.database_url))
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0007'"))
    await engine.dispose()
    ended = await run(command, env=environment(settings, PORT="0"))
    assert ended.code == 1
    line = ended.err.splitlines()[-1]
    assert "the database is at revision 0007, which this version does not have" in line
    assert "delete .data" in line


async def test_going_down_to_an_unknown_revision_is_one_line(settings: Settings):
    ended = await run("migrate", "--down", "0815", "--yes", env=environment(settings))
    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
    assert "0815" in ended.err


async def test_a_downgrade_without_a_terminal_needs_yes_and_does_not_wait(settings: Settings):
    env = environment(settings)
    refused = await run("migrate", "--down", "base", env=env)
    assert refused.code == 1
    assert "confirm it with --yes" in refused.err
    assert "was base" not in (await run("migrate", env=env)).err


@pytest.mark.parametrize(("answer", "downgraded"), [("n", False), ("y", True)])
async def test_a_downgrade_at_a_terminal_asks_first(settings: Settings, answer: str, downgraded: bool):
    env = environment(settings)
    master, terminal = os.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            *PROGRAM, "migrate", "--down", "base", env=env, stdin=terminal, stderr=asyncio.subprocess.PIPE
        )
        os.write(master, f"{answer}\n".encode())
        _, err = await asyncio.wait_for(process.communicate(), 50)
    finally:
        os.close(terminal)
        os.close(master)
    assert b"Downgrade to base" in err
    assert ("cancelled" in err.decode()) is not downgraded
    assert ("was base" in (await run("migrate", env=env)).err) is downgraded


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://nobody:wrong@127.0.0.1:1/leaderboard",
        "postgresql+asyncpg://nobody:wrong@no-such-host.invalid/leaderboard",
    ],
)
async def test_a_database_that_cannot_be_reached_is_one_line_that_names_it(settings: Settings, url: str):
    ended = await run("top", env=environment(settings, DATABASE_URL=url))
    assert ended.code == 1
    (line,) = ended.err.splitlines()
    assert line.startswith("leaderboard: PostgreSQL at ")
    assert "wrong" not in line


async def test_a_redis_that_cannot_be_reached_is_one_line(settings: Settings):
    ended = await run("rebuild", env=environment(settings, REDIS_URL="redis://127.0.0.1:1/0"))
    assert ended.code == 1
    assert "leaderboard: Redis does not answer" in ended.err.splitlines()[-1]
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", ["serve", "dev", "top"])
async def test_a_redis_that_is_too_old_is_refused_in_one_line(settings: Settings, command: str):
    async with old_redis() as url:
        ended = await run(command, env=environment(settings, REDIS_URL=url, PORT="0"))
    assert ended.code == 1
    line = ended.err.splitlines()[-1]
    assert "Redis must be version 7.0 or newer, or Valkey; this server is Redis 6.2.14" in line
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("command", ["serve", "dev"])
async def test_a_port_in_use_is_one_line_that_names_another(settings: Settings, command: str, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = await run(command, env=environment(settings, PORT=str(port)), cwd=tmp_path)
    assert ended.code == 1
    (line,) = ended.err.splitlines()
    assert f"port {port} of 127.0.0.1 is in use" in line
    assert f"PORT={port + 1}" in line


@pytest.mark.parametrize("command", ["watch", "play"])
async def test_without_a_server_play_and_watch_say_how_to_start_one(command: str):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    ended = await run(command, "--url", url)
    assert ended.code == 1
    (line,) = ended.err.splitlines()
    assert f"no server answers at {url}" in line
    assert "make run" in line


async def test_a_command_whose_output_is_not_read_any_more_ends_without_a_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, "schema", env=environment(), stdout=writer, stderr=asyncio.subprocess.PIPE
    )
    os.close(writer)
    _, err = await asyncio.wait_for(process.communicate(), 50)
    assert (process.returncode, err) == (1, b"")


async def test_players_play_and_their_actions_count(service: Service, settings: Settings):
    env = environment(settings)
    ended = await run("play", "--players", "5", "--rate", "20", "--seconds", "1", "--url", service.url, env=env)
    assert ended.code == 0, ended.err
    accepted = re.search(r"ACCEPTED +(\d+)", ended.out)
    assert accepted is not None
    assert int(accepted[1]) == 20
    board = (await service.anonymous.ask(BOARD))["leaderboard"]
    assert 1 <= board["totalUsers"] <= 5


async def test_players_with_foreign_tokens_fail_and_say_why(service: Service, settings: Settings):
    env = environment(settings, JWT_SECRET="another secret, which this server does not have")
    ended = await run("play", "--url", service.url, env=env)
    assert ended.code == 1
    assert "UNAUTHENTICATED" in ended.err


async def test_a_board_is_watched_as_plain_text(service: Service, settings: Settings):
    await service.player("ada").play()
    ended = await run("watch", "--updates", "1", "--url", service.url, env=environment(settings))
    assert ended.code == 0
    assert re.search(r"^ +1 +ada +50$", ended.out, re.MULTILINE), ended.out
    assert "1 players" in ended.out


async def test_an_example_with_scores_of_ten_digits_is_applied_played_and_shown(service: Service, settings: Settings):
    env = environment(settings, MAX_POINTS_PER_ACTION="1000000000")
    file = CHECKOUT / "examples" / "catalogues" / "pinball.yaml"
    applied = await run("catalogue", "apply", str(file), env=env)
    assert applied.out.splitlines()[0] == "Created the category pinball"
    query = '{ actions(category: "pinball") { id } }'
    await until_answer(lambda: service.anonymous.post(query), lambda answer: "errors" not in answer.json())
    played = await run(
        "play",
        "--category",
        "pinball",
        "--players",
        "3",
        "--rate",
        "20",
        "--seconds",
        "1",
        "--url",
        service.url,
        env=env,
    )
    assert played.code == 0, played.err
    board = (await service.anonymous.ask(BOARD, category="pinball"))["leaderboard"]
    best = f"{board['entries'][0]['score']:,} pts"
    assert best in (await run("top", "--category", "pinball", env=env)).out
    watched = await run("watch", "--category", "pinball", "--updates", "1", "--url", service.url, env=env)
    assert best in watched.out
    shown = await run("catalogue", "show", env=env)
    assert "kind: INTEGER" in shown.out
    assert "unit: pts" in shown.out
    assert (await run("verify", env=env)).code == 0


async def test_watching_an_unknown_category_is_refused_in_one_line(service: Service, settings: Settings):
    ended = await run("watch", "--category", "chess", "--url", service.url, env=environment(settings))
    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
