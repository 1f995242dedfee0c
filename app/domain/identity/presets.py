"""What widely used identity providers put into their tokens, and where they publish their keys.

Each preset is a set of defaults for settings; a setting that is given takes precedence. The documents of the providers
are linked in `docs/identity.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ANY_AUDIENCE = "*"
"""The setting for tokens whose audience is not checked."""


@dataclass(frozen=True, slots=True)
class Preset:
    """The defaults for one provider.

    Attributes:
        example: How its `iss` looks, for messages.
        issuer: Its `iss`, if it is the same for everybody.
        aliases: Other values of `iss` that mean the same issuer.
        ends_with_slash: Whether its `iss` ends with a slash, which is easily left out in a setting.
        jwks_url: The address of its keys; None if it is in its OpenID configuration.
        audience: The default of JWT_AUDIENCE; None if there is none, "" for the last part of `iss`.
        audience_claims: The claims that say for whom a token is.
        username: The claims with a name.
        avatar: The claims with a picture.
        role: The claims with roles that users cannot change themselves.
    """

    example: str
    issuer: str | None = None
    aliases: tuple[str, ...] = ()
    ends_with_slash: bool = False
    jwks_url: str | None = None
    audience: str | None = None
    audience_claims: tuple[str, ...] = ("aud",)
    username: tuple[str, ...] = ("preferred_username", "username", "nickname", "name")
    avatar: tuple[str, ...] = ("picture",)
    role: tuple[str, ...] = ("role", "roles")


PRESETS: Mapping[str, Preset] = {
    "auth0": Preset("https://TENANT.auth0.com/", ends_with_slash=True, role=("role", "roles", "permissions")),
    "keycloak": Preset(
        "https://HOST/realms/REALM",
        # Unless a mapper adds the client to `aud`, only `azp` names it.
        audience_claims=("aud", "azp"),
        role=("realm_access.roles",),
    ),
    "cognito": Preset(
        "https://cognito-idp.REGION.amazonaws.com/POOL",
        # Access tokens have no `aud`.
        audience_claims=("aud", "client_id"),
        username=("preferred_username", "nickname", "name", "username", "cognito:username"),
        role=("cognito:groups",),
    ),
    "firebase": Preset(
        "https://securetoken.google.com/PROJECT",
        jwks_url="https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
        audience="",
        username=("name",),
    ),
    "supabase": Preset(
        "https://PROJECT.supabase.co/auth/v1",
        audience="authenticated",
        # Users can change `user_metadata`, so there are names in it but never roles. `role` is that of PostgreSQL.
        username=tuple(f"user_metadata.{name}" for name in ("preferred_username", "user_name", "name", "full_name")),
        avatar=("user_metadata.avatar_url", "user_metadata.picture"),
        role=("app_metadata.role", "app_metadata.roles", "user_role"),
    ),
    "clerk": Preset(
        "https://NAME.clerk.accounts.dev",
        audience=ANY_AUDIENCE,
        audience_claims=("aud", "azp"),
        username=("username", "preferred_username", "nickname", "name"),
        avatar=("picture", "image_url"),
        role=("role", "metadata.role"),
    ),
    "entra": Preset(
        "https://login.microsoftonline.com/TENANT/v2.0",
        username=("nickname", "name", "preferred_username"),
        role=("roles",),
    ),
    "google": Preset(
        "https://accounts.google.com",
        issuer="https://accounts.google.com",
        aliases=("accounts.google.com",),
        username=("name", "given_name"),
    ),
}

AUDIENCE_REQUIRED = frozenset({"cognito", "entra", "google"})
"""Presets whose audience is an id that the provider assigns, and that must therefore be set."""
