"""The racing game of the documentation: its catalogue is applied, its queries work, and it can be played."""

from __future__ import annotations

import re
from pathlib import Path

from app.domain.users import Role
from tests.support.processes.cli_process import environment, run
from tests.support.service import Service

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "examples" / "racing-game.md").read_text()
FILE = ROOT / "docs" / "examples" / "racing-game.yaml"


def blocks(language: str) -> list[str]:
    """Return the code of the page in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_shows_the_file():
    (shown,) = blocks("yaml")
    assert FILE.read_text().endswith(shown)


async def test_the_racing_game_can_be_applied_recorded_and_played(service: Service):
    env = environment(service.settings)
    applied = await run("catalogue", "apply", str(FILE), env=env)
    assert (applied.code, applied.err) == (0, ""), applied
    again = await run("catalogue", "apply", str(FILE), env=env)
    assert "Nothing to change" in again.out
    await service.app.catalogue.refresh()
    await service.app.rebuild.ensure_loaded()

    record, fastest_laps = blocks("graphql")
    receipt = (await service.player("the game", Role.SERVER).ask(record))["recordAction"]
    assert (receipt["newScore"], receipt["currentRank"]) == (83_250, 1)
    (entry,) = (await service.anonymous.ask(fastest_laps))["leaderboard"]["entries"]
    assert entry == {
        "rank": 1,
        "score": 83_250,
        "formattedScore": "1:23.250",
        "metadata": {"replay": "https://replays.example/4711", "car": "red"},
        "user": {"username": "ada"},
    }

    arguments = ("--category", "racing", "--players", "20", "--rate", "20", "--seconds", "3", "--url", service.url)
    played = await run("play", *arguments, env=env, timeout=120)
    assert played.code == 0, played
    assert re.search(r"^ ACCEPTED +60", played.out, re.MULTILINE), played
    entries = (await service.anonymous.ask(fastest_laps))["leaderboard"]["entries"]
    assert len(entries) == 10
    assert all(45_000 <= entry["score"] <= 600_000 and entry["metadata"]["replay"] for entry in entries)
    assert [entry["score"] for entry in entries] == sorted(entry["score"] for entry in entries)
