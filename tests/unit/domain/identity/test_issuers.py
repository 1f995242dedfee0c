"""Issuers from settings: presets, several of them, and settings that contradict each other."""

from typing import Any

import pytest

from app.domain.identity.issuers import DISCOVER, SECRET, IssuerProblems, IssuerSettings, issuers_of
from app.domain.identity.presets import PRESETS

URL = "https://login.example.com"


def described(**settings: Any) -> list[tuple[str, str, frozenset[str] | None]]:
    return [(one.name, one.keys, one.audiences) for one in issuers_of(IssuerSettings(**settings))]


DEFAULT = frozenset({"leaderboard-api"})


@pytest.mark.parametrize(
    ("settings", "issuers"),
    [
        ({}, [("leaderboard", SECRET, DEFAULT)]),
        ({"issuers": ["game"], "audiences": ["a", "b"]}, [("game", SECRET, frozenset("ab"))]),
        ({"issuers": [URL]}, [(URL, DISCOVER, DEFAULT)]),
        ({"issuers": [URL], "has_secret": True}, [(URL, SECRET, DEFAULT)]),
        ({"issuers": [URL], "has_secret": True, "key_places": ["discover"]}, [(URL, DISCOVER, DEFAULT)]),
        ({"issuers": [URL], "audiences": ["*"]}, [(URL, DISCOVER, None)]),
        ({"key_places": [f"{URL}/keys"]}, [("leaderboard", f"{URL}/keys", DEFAULT)]),
        (
            {"issuers": [URL, "game"], "key_places": ["discover", "secret"], "has_secret": True},
            [(URL, DISCOVER, DEFAULT), ("game", SECRET, DEFAULT)],
        ),
        ({"presets": ["auth0"], "issuers": [URL]}, [(f"{URL}/", DISCOVER, DEFAULT)]),
        ({"presets": ["AUTH0"], "issuers": [f"{URL}/"], "has_secret": True}, [(f"{URL}/", DISCOVER, DEFAULT)]),
        (
            {"presets": ["google", "supabase"], "issuers": ["accounts.google.com", URL], "audiences": ["id"]},
            [("https://accounts.google.com", DISCOVER, frozenset({"id"})), (URL, DISCOVER, frozenset({"id"}))],
        ),
        (
            {"presets": ["firebase"], "issuers": ["https://securetoken.google.com/my-game"]},
            [("https://securetoken.google.com/my-game", PRESETS["firebase"].jwks_url, frozenset({"my-game"}))],
        ),
    ],
)
def test_the_keys_and_audiences_of_issuers_follow_from_the_settings(settings: dict[str, Any], issuers: list[Any]):
    assert described(**settings) == issuers


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_what_must_be_set(name: str):
    with pytest.raises(IssuerProblems) as refused:
        issuers_of(IssuerSettings(presets=[name], issuers=[], audiences=[]))
    assert all(
        problem.startswith(("JWT_ISSUER must be set", "JWT_AUDIENCE must")) for problem in refused.value.problems
    )


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"presets": ["okta"]}, "JWT_PRESET must be one of auth0, "),
        ({"presets": ["auth0"]}, "JWT_ISSUER must be set with JWT_PRESET=auth0, for example https://"),
        ({"presets": ["google"]}, "JWT_AUDIENCE must be set with JWT_PRESET=google"),
        ({"presets": ["auth0", "clerk"], "issuers": [URL]}, "JWT_PRESET must name one preset for all issuers"),
        ({"issuers": [URL, "game"], "key_places": [URL]}, "JWT_JWKS_URL must have an entry for each issuer"),
        ({"issuers": [URL, "game"], "has_secret": True}, "JWT_JWKS_URL must say for each issuer"),
        ({"issuers": [URL, URL]}, "JWT_ISSUER must name each issuer once"),
        ({"key_places": ["discover"]}, "JWT_ISSUER must be a URL for its keys to be discovered"),
        ({"key_places": ["/keys.json"]}, "JWT_JWKS_URL must begin with https:// or http://"),
        ({"issuers": [f"{URL}/{n}" for n in range(21)]}, "JWT_ISSUER must name at most 20 issuers"),
    ],
)
def test_settings_that_describe_no_issuer_are_refused_with_the_remedy(settings: dict[str, Any], problem: str):
    with pytest.raises(IssuerProblems) as refused:
        issuers_of(IssuerSettings(**settings))
    assert any(line.startswith(problem) for line in refused.value.problems), refused.value.problems
