"""The accepted issuers of access tokens: how their tokens are verified and read, from the settings and presets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from app.domain.identity.claim_mapping import OUR_ROLES, ClaimMapping
from app.domain.identity.presets import ANY_AUDIENCE, AUDIENCE_REQUIRED, PRESETS, Preset
from app.domain.users import Role, SubjectIds

SECRET = "secret"
"""The place of the keys of an issuer whose tokens are signed with JWT_SECRET."""

DISCOVER = "discover"
"""The place of the keys of an issuer whose OpenID configuration names it."""

MAX_ISSUERS = 20
"""How many issuers may be accepted: a token of an unknown issuer is compared with the keys of all of them."""

DEFAULT_ISSUER = "leaderboard"
DEFAULT_AUDIENCE = "leaderboard-api"


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer of access tokens.

    Attributes:
        name: Its `iss`; user ids are derived from it.
        keys: `SECRET`, `DISCOVER`, or the URL of a key set.
        aliases: Other values of `iss` that mean the same issuer.
        audiences: Its tokens must name one of these; None accepts any token.
        audience_claims: The claims that say for whom a token is.
        claims: What its claims mean.
    """

    name: str
    keys: str = SECRET
    aliases: tuple[str, ...] = ()
    audiences: frozenset[str] | None = frozenset({DEFAULT_AUDIENCE})
    audience_claims: tuple[str, ...] = ("aud",)
    claims: ClaimMapping = field(default_factory=ClaimMapping)

    @property
    def names(self) -> frozenset[str]:
        """All values of `iss` that mean this issuer."""
        return frozenset({self.name, *self.aliases})

    def subject_ids(self, *, subject_is_user_id: bool = False) -> SubjectIds:
        """Return the user ids of its subjects."""
        return SubjectIds(self.name, subject_is_user_id)


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """The settings about issuers; empty where nothing is set.

    Attributes:
        issuers: JWT_ISSUER.
        presets: JWT_PRESET: none, one for all issuers, or one for each.
        key_places: JWT_JWKS_URL: none, or for each issuer a URL, `SECRET` or `DISCOVER`.
        audiences: JWT_AUDIENCE.
        audience_claims: JWT_AUDIENCE_CLAIM.
        username_claims: JWT_USERNAME_CLAIM.
        avatar_claims: JWT_AVATAR_CLAIM.
        role_claims: JWT_ROLE_CLAIM.
        roles: JWT_ROLE_MAP.
        has_secret: Whether JWT_SECRET is set.
    """

    issuers: Sequence[str] = ()
    presets: Sequence[str] = ()
    key_places: Sequence[str] = ()
    audiences: Sequence[str] = ()
    audience_claims: Sequence[str] = ()
    username_claims: Sequence[str] = ()
    avatar_claims: Sequence[str] = ()
    role_claims: Sequence[str] = ()
    roles: Mapping[str, Role] = field(default_factory=dict)
    has_secret: bool = False


class IssuerProblems(ValueError):
    """The settings describe no issuers. `problems` says why, a line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


def issuers_of(settings: IssuerSettings) -> tuple[Issuer, ...]:
    """Return the issuers that the settings describe; the first one is that of subjects without an issuer.

    Raises:
        IssuerProblems: The settings contradict each other, or something is missing.
    """
    presets = _presets(settings)
    names = list(settings.issuers) or [_default_name(presets)]
    problems = []
    if len(names) > MAX_ISSUERS:
        problems.append(f"JWT_ISSUER must name at most {MAX_ISSUERS} issuers")
    if len(presets) not in (0, 1, len(names)):
        problems.append("JWT_PRESET must name one preset for all issuers, or one for each issuer of JWT_ISSUER")
    if len(settings.key_places) not in (0, len(names)):
        problems.append(
            "JWT_JWKS_URL must have an entry for each issuer of JWT_ISSUER, in the same order: the URL of its key set, "
            f"`{DISCOVER}` or `{SECRET}`"
        )
    if not all(place in (DISCOVER, SECRET) or "://" in place for place in settings.key_places):
        problems.append(f"JWT_JWKS_URL must begin with https:// or http://, or be `{DISCOVER}` or `{SECRET}`")
    if not settings.key_places and not presets and settings.has_secret and 0 < sum(map(_is_url, names)) < len(names):
        problems.append(
            "JWT_JWKS_URL must say for each issuer of JWT_ISSUER, in the same order, where its keys are: the URL of "
            f"its key set, `{DISCOVER}`, or `{SECRET}` for tokens that are signed with JWT_SECRET"
        )
    if problems:
        raise IssuerProblems(problems)
    issuers = [
        _issuer(settings, name, presets[index % len(presets)] if presets else None, index)
        for index, name in enumerate(names)
    ]
    seen: set[str] = set()
    for issuer in issuers:
        if issuer.names & seen:
            problems.append(f"JWT_ISSUER must name each issuer once: {issuer.name} is repeated")
        seen |= issuer.names
        if issuer.keys == DISCOVER and not _is_url(issuer.name):
            problems.append(f"JWT_ISSUER must be a URL for its keys to be discovered: `{issuer.name}` is none")
    if problems:
        raise IssuerProblems(problems)
    return tuple(issuers)


def _presets(settings: IssuerSettings) -> list[Preset]:
    problems = [
        f"JWT_PRESET must be one of {', '.join(PRESETS)}: there is no preset `{name}`"
        for name in settings.presets
        if name.lower() not in PRESETS
    ]
    known = [name.lower() for name in settings.presets if name.lower() in PRESETS]
    for name in known:
        if not settings.issuers and PRESETS[name].issuer is None:
            problems.append(f"JWT_ISSUER must be set with JWT_PRESET={name}, for example {PRESETS[name].example}")
        if not settings.audiences and name in AUDIENCE_REQUIRED:
            problems.append(f"JWT_AUDIENCE must be set with JWT_PRESET={name}: the client id of your application")
    if problems:
        raise IssuerProblems(problems)
    return [PRESETS[name] for name in known]


def _default_name(presets: Sequence[Preset]) -> str:
    return (presets[0].issuer if presets else None) or DEFAULT_ISSUER


def _issuer(settings: IssuerSettings, given: str, preset: Preset | None, index: int) -> Issuer:
    known = preset or Preset(given)
    name = given
    aliases: tuple[str, ...] = ()
    if known.ends_with_slash and not name.endswith("/"):
        name += "/"
    if known.issuer is not None and name in (known.issuer, *known.aliases):
        name, aliases = known.issuer, known.aliases
    mapping = ClaimMapping() if preset is None else ClaimMapping(preset.username, preset.avatar, preset.role)
    return Issuer(
        name,
        _key_place(settings, name, preset, index),
        aliases,
        _audiences(settings, name, known),
        tuple(settings.audience_claims) or known.audience_claims,
        ClaimMapping(
            tuple(settings.username_claims) or mapping.username,
            tuple(settings.avatar_claims) or mapping.avatar,
            tuple(settings.role_claims) or mapping.role,
            settings.roles or OUR_ROLES,
        ),
    )


def _key_place(settings: IssuerSettings, name: str, preset: Preset | None, index: int) -> str:
    if settings.key_places:
        return settings.key_places[index]
    if preset is not None:
        return preset.jwks_url or DISCOVER
    return DISCOVER if _is_url(name) and not settings.has_secret else SECRET


def _audiences(settings: IssuerSettings, name: str, preset: Preset) -> frozenset[str] | None:
    default = name.rstrip("/").rpartition("/")[2] if preset.audience == "" else preset.audience or DEFAULT_AUDIENCE
    audiences = settings.audiences or (default,)
    return None if ANY_AUDIENCE in audiences else frozenset(audiences)


def _is_url(text: str) -> bool:
    return text.startswith(("https://", "http://"))
