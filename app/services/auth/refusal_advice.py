"""What an operator can do about a refused access token, for the log and for `leaderboard token --explain`."""

from __future__ import annotations

from collections.abc import Mapping

from app.services.auth.verify_jwt import MAX_TOKEN_LENGTH, Check

_ADVICE: Mapping[Check, str] = {
    Check.FORM: (
        f"An access token must be a signed JWT in the compact form, of at most {MAX_TOKEN_LENGTH} characters. Opaque "
        "and encrypted tokens cannot be verified: ask the provider for a token for an API (an audience)."
    ),
    Check.TYPE: "The token must be an access token or an ID token, not one of another type such as a logout token.",
    Check.ALGORITHM: (
        "Tokens must be signed with RS256, PS256, ES256 or EdDSA by a key of the issuer's key set, or with HS256 and "
        "JWT_SECRET: see JWT_JWKS_URL and JWT_PRESET."
    ),
    Check.KEY: (
        "The key must be in the key set of the issuer, under the `kid` of the token: check JWT_JWKS_URL and "
        "JWT_ISSUER. With JWT_SECRET, the token was signed with another secret."
    ),
    Check.SIGNATURE: (
        "The token was changed, or signed with another key: check JWT_SECRET, JWT_JWKS_URL and JWT_ISSUER."
    ),
    Check.CLAIMS: "The claims must be a JSON object in which no member is repeated.",
    Check.SUBJECT: "The provider must name the user in `sub`.",
    Check.ISSUER: "JWT_ISSUER must be the `iss` of the token, character for character.",
    Check.AUDIENCE: (
        "JWT_AUDIENCE must be an audience of the token. JWT_AUDIENCE_CLAIM says in which claims audiences are, and "
        "JWT_AUDIENCE=* accepts every token of the issuer."
    ),
    Check.ISSUED_AT: "The clocks of the issuer and of this machine must agree: see JWT_CLOCK_SKEW.",
    Check.NOT_BEFORE: "The clocks of the issuer and of this machine must agree: see JWT_CLOCK_SKEW.",
    Check.LIFETIME: "Issue tokens for a shorter time, or raise ACCESS_TOKEN_MAX_LIFETIME.",
    Check.EXPIRY: "The client must get a new token before this one expires.",
}


def advice_for(check: Check) -> str:
    """Return what to do when this check fails, with the setting to change."""
    return _ADVICE[check]
