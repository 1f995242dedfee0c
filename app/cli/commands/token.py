"""`leaderboard token`: print an access token for development."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.terminal.durations import parse_seconds
from app.cli.terminal.errors import CommandError
from app.cli.terminal.output import examples, print_result
from app.domain.users import Role

if TYPE_CHECKING:
    from app.config import Settings


def add_to(program: typer.Typer) -> None:
    """Register the command with the program."""
    program.command(
        epilog=examples(
            "leaderboard token --user ada",
            "leaderboard token --user ops --role moderator --ttl 1h",
            'curl -H "authorization: Bearer $(leaderboard token --user ada)" …',
        )
    )(token)


def _validate_user(user: str) -> str:
    if not user.strip():
        raise typer.BadParameter("it must not be empty")
    return user


def token(
    user: Annotated[
        str, typer.Option(callback=_validate_user, help="The name of the user, which is also the claim `sub`.")
    ],
    role: Annotated[Role, typer.Option(help="The role, which decides what the token allows.")] = Role.PLAYER,
    ttl: Annotated[
        str,
        typer.Option(
            help="How long the token is valid: 90s, 15m, 2h. At most ACCESS_TOKEN_MAX_LIFETIME, 24 h by default."
        ),
    ] = "15m",
) -> None:
    """Print an access token for development; nothing else is printed on standard output.

    The token is signed with JWT_SECRET. In production, access tokens are issued by your identity provider.
    """
    from app.config import load_settings

    settings, seconds = load_settings(), parse_seconds(ttl)
    if seconds > settings.access_token_max_lifetime:
        raise typer.BadParameter(
            f"`--ttl` must be at most {settings.access_token_max_lifetime} s, which is ACCESS_TOKEN_MAX_LIFETIME: "
            f"{ttl} is {seconds} s"
        )
    print_result(mint_token(settings, user, role, seconds))


def mint_token(settings: Settings, user: str, role: Role = Role.PLAYER, ttl: int = 900) -> str:
    """Return an access token that is signed with JWT_SECRET.

    The token expires after `ttl` seconds, or after ACCESS_TOKEN_MAX_LIFETIME if that is less.

    Raises:
        CommandError: Access tokens are issued by an identity provider, because JWT_JWKS_URL is set.
    """
    import time

    from app.services.auth.access_tokens import mint
    from app.services.auth.signing_keys import SigningKeys

    if settings.jwt_jwks_url is not None:
        raise CommandError(
            "access tokens come from your identity provider, because JWT_JWKS_URL is set: "
            "this command can only sign with JWT_SECRET"
        )
    return mint(
        SigningKeys(settings.jwt_secret.get_secret_value()),
        subject=user,
        role=role,
        ttl=min(ttl, settings.access_token_max_lifetime),
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        now=int(time.time()),
    )
