"""What the claims of access tokens mean: names, pictures and roles, wherever a provider puts them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.players.names import clean_username
from app.domain.users import Role

OUR_ROLES: Mapping[str, Role] = {role.value: role for role in Role}
"""The values of role claims that mean something without a mapping."""

SCOPE_CLAIMS = frozenset({"scope", "scp"})
"""Claims whose text is a list of words separated by spaces (RFC 8693, section 4.2)."""

PRECEDENCE = (Role.MODERATOR, Role.SERVER)
"""The role of a caller with several; without any of these it is a player."""

MISSING = object()
"""What `claim_at` returns for a claim that is not there."""

_EMAIL_ADDRESS = re.compile(r"([^@\s]+)@[^@\s]+\.[^@\s]+")


@dataclass(frozen=True, slots=True)
class ClaimMapping:
    """Where a provider's tokens have what we need, as paths for `claim_at`; earlier ones take precedence.

    Attributes:
        username: The claims with the name.
        avatar: The claims with the address of the picture.
        role: The claims with roles: each is a text or a list of texts.
        roles: Our role for each of the provider's.
    """

    username: tuple[str, ...] = ("username", "preferred_username", "nickname", "name")
    avatar: tuple[str, ...] = ("avatar_url", "picture")
    role: tuple[str, ...] = ("role",)
    roles: Mapping[str, Role] = field(default_factory=lambda: OUR_ROLES)

    def username_of(self, claims: Mapping[str, Any], subject: str) -> object:
        """Return the first name that can be shown; the subject if no claim has one, and None if none can be shown.

        Names are public, so of an e-mail address only the part before the @ is used.
        """
        given = [value for path in self.username if (value := claim_at(claims, path)) is not MISSING]
        for name in given or [subject]:
            if isinstance(name, str) and clean_username(name):
                address = _EMAIL_ADDRESS.fullmatch(name.strip())
                return address[1] if address else name
        return None

    def avatar_of(self, claims: Mapping[str, Any]) -> object:
        """Return the first claim of a picture that is a text, else None."""
        values = (claim_at(claims, path) for path in self.avatar)
        return next((value for value in values if isinstance(value, str) and value), None)

    def role_of(self, claims: Mapping[str, Any]) -> Role:
        """Return the role of the caller. Values that are not in the mapping mean nothing here."""
        found = {self.roles.get(value, Role.PLAYER) for path in self.role for value in _texts_at(claims, path)}
        return next((role for role in PRECEDENCE if role in found), Role.PLAYER)

    def claims_for(self, username: str, role: Role) -> dict[str, str]:
        """Return claims that this mapping reads as the given name and role."""
        value = next((value for value, ours in self.roles.items() if ours is role), None)
        return {self.username[0]: username} | ({} if value is None else {self.role[0]: value})


def claim_at(claims: Mapping[str, Any], path: str) -> Any:
    """Return the claim at `path`, or `MISSING`.

    A path is the name of a claim, or names of nested claims joined by dots. As names may contain dots themselves, such
    as `https://example.com/roles`, the longest name that exists is taken at each step.
    """
    if path in claims:
        return claims[path]
    end = path.rfind(".")
    while end > 0:
        inner = claims.get(path[:end])
        if isinstance(inner, dict):
            found = claim_at(inner, path[end + 1 :])
            if found is not MISSING:
                return found
        end = path.rfind(".", 0, end)
    return MISSING


def _texts_at(claims: Mapping[str, Any], path: str) -> Iterator[str]:
    value = claim_at(claims, path)
    if isinstance(value, str):
        yield from value.split() if path in SCOPE_CLAIMS else (value,)
    elif isinstance(value, list):
        yield from (text for text in value if isinstance(text, str))
