"""Create players from numbers, so that all runs have the same ones."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from app.config import Settings
from app.domain.users import Role
from app.services.auth.access_tokens import mint
from app.services.auth.signing_keys import SigningKeys

LEADERS = 10
LEADER_SCORE = 500_000


@dataclass(frozen=True)
class Player:
    """A player with an access token. The first `LEADERS` are so far ahead that no load overtakes them."""

    id: UUID
    name: str
    score: int
    access_token: str


def make_players(count: int, settings: Settings, *, signed_in: int | None = None) -> list[Player]:
    """Return `count` players, best first; all, or the first `signed_in`, have access tokens valid for one day."""
    secrets = SigningKeys(settings.jwt_secret.get_secret_value())
    now = int(time.time())
    players = []
    for number in range(count):
        player_id = UUID(int=(number * 0x9E3779B97F4A7C15F39CC0605CEDC834 + 1) % 2**128, version=4)
        score = (LEADERS - number) * 1000 + LEADER_SCORE if number < LEADERS else (count - number) % 100_000
        token = (
            ""
            if signed_in is not None and number >= signed_in
            else _access_token(secrets, str(player_id), Role.PLAYER, settings, now)
        )
        players.append(Player(player_id, str(player_id), score, token))
    return players


def make_server_token(settings: Settings) -> str:
    """Return an access token of a game's back-end, valid for one day."""
    secrets = SigningKeys(settings.jwt_secret.get_secret_value())
    return _access_token(secrets, "game-server", Role.SERVER, settings, int(time.time()))


def _access_token(secrets: SigningKeys, subject: str, role: Role, settings: Settings, now: int) -> str:
    return mint(
        secrets,
        subject=subject,
        role=role,
        ttl=86_400,
        issuer=settings.issuers[0],
        now=now,
    )
