"""`leaderboard token`: print an access token for development, or explain one."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.terminal.durations import parse_seconds
from app.cli.terminal.errors import CommandError
from app.cli.terminal.output import console, examples, print_result
from app.domain.users import Role

if TYPE_CHECKING:
    from app.config import Settings
    from app.services.auth.access_tokens import VerifiedToken


def add_to(program: typer.Typer) -> None:
    """Register the command with the program."""
    program.command(
        epilog=examples(
            "leaderboard token --user ada",
            "leaderboard token --user ops --role moderator --ttl 1h",
            'curl -H "authorization: Bearer $(leaderboard token --user ada)" …',
            "leaderboard token --explain eyJhbGciOi…",
        )
    )(token)


def _validate_user(user: str | None) -> str | None:
    if user is not None and not user.strip():
        raise typer.BadParameter("it must not be empty")
    return user


def token(
    user: Annotated[
        str | None, typer.Option(callback=_validate_user, help="The name of the user, which is also the claim `sub`.")
    ] = None,
    role: Annotated[Role, typer.Option(help="The role, which decides what the token allows.")] = Role.PLAYER,
    ttl: Annotated[
        str,
        typer.Option(
            help="How long the token is valid: 90s, 15m, 2h. At most ACCESS_TOKEN_MAX_LIFETIME, 24 h by default."
        ),
    ] = "15m",
    explain: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            help="Print whether the service accepts this token, and why not; `-` reads it from standard input.",
        ),
    ] = None,
) -> None:
    """Print an access token for development, or explain one of an identity provider.

    The new token is signed with JWT_SECRET, and nothing else is printed on standard output. In production, access
    tokens are issued by your identity provider. An explanation uses the settings of the service, and the keys of the
    provider.
    """
    from app.config import load_settings

    settings, seconds = load_settings(), parse_seconds(ttl)
    if explain is not None:
        _explain(settings, (sys.stdin.read() if explain == "-" else explain).strip())
        return
    if user is None:
        raise typer.BadParameter("it must be given, or else `--explain`", param_hint="'--user'")
    if seconds > settings.access_token_max_lifetime:
        raise typer.BadParameter(
            f"`--ttl` must be at most {settings.access_token_max_lifetime} s, which is ACCESS_TOKEN_MAX_LIFETIME: "
            f"{ttl} is {seconds} s"
        )
    print_result(mint_token(settings, user, role, seconds))


def _explain(settings: Settings, token: str) -> None:
    """Print the checks of a token and their results, never the token or a secret; exit with 1 if it is refused."""
    from app.domain.errors import ServiceUnavailable
    from app.domain.identity.api_keys import PREFIX
    from app.services.auth.refusal_advice import advice_for
    from app.services.auth.verify_jwt import BadToken, Check
    from app.telemetry.logging import configure_logging

    token = token.removeprefix("Bearer ")
    if token.startswith(PREFIX):
        raise CommandError(
            "this is an API key, not an access token: `leaderboard keys list` shows whether it is active"
        )
    configure_logging("WARNING", json=False)
    out = console()
    try:
        verified = asyncio.run(_read(settings, token))
    except BadToken as refusal:
        for check in Check:
            if check is refusal.check:
                break
            out.print(f"{check.value:<12}ok")
        out.print(
            f"{refusal.check.value:<12}failed{f': {refusal.detail}' if refusal.detail else ''}",
            markup=False,
            soft_wrap=True,
        )
        out.print(f"\nThe token is refused. {advice_for(refusal.check)}", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except ServiceUnavailable:
        raise CommandError(
            "the key set of the issuer cannot be read, for the reason above: see JWT_JWKS_URL and JWT_ISSUER"
        ) from None
    for check in Check:
        out.print(f"{check.value:<12}ok")
    caller, issuer = verified.caller, verified.issuer
    expires_at = datetime.fromtimestamp(caller.expires_at, UTC)
    out.print(
        f"\nThe token is accepted until {expires_at:%Y-%m-%d %H:%M:%S} UTC.\n"
        f"issuer      {issuer.name}\nuser id     {caller.user_id}\nname        {caller.username}\n"
        f"picture     {caller.avatar_url or '-'}\nrole        {caller.role.value}",
        markup=False,
        soft_wrap=True,
    )


async def _read(settings: Settings, token: str) -> VerifiedToken:
    from contextlib import AsyncExitStack

    from app.runtime import Runtime
    from app.wiring.auth import access_tokens_of, identity_providers_of

    runtime = Runtime()
    async with AsyncExitStack() as stack:
        return await access_tokens_of(settings, identity_providers_of(settings, runtime, stack), runtime).read(token)


def mint_token(settings: Settings, user: str, role: Role = Role.PLAYER, ttl: int = 900) -> str:
    """Return an access token that is signed with JWT_SECRET.

    The token expires after `ttl` seconds, or after ACCESS_TOKEN_MAX_LIFETIME if that is less.

    Raises:
        CommandError: All access tokens are issued by identity providers.
    """
    import time

    from app.services.auth.access_tokens import mint
    from app.services.auth.signing_keys import SigningKeys

    issuer = settings.own_issuer
    if issuer is None:
        raise CommandError(
            "access tokens come from your identity provider, because of JWT_JWKS_URL, JWT_PRESET or JWT_ISSUER: "
            "this command can only sign with JWT_SECRET"
        )
    return mint(
        SigningKeys(settings.jwt_secret.get_secret_value()),
        subject=user,
        role=role,
        ttl=min(ttl, settings.access_token_max_lifetime),
        issuer=issuer,
        now=int(time.time()),
    )
