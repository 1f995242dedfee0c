"""Build malformed and forged tokens, with control of every byte."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from uuid import uuid4

from app.config import Settings
from app.services.auth.signing_keys import key_id

Part = dict[str, Any] | str | bytes
B64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def b64(raw: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def part(content: Part) -> str:
    """Encode a part of a token: an object as JSON, text or bytes as they are."""
    if isinstance(content, dict):
        content = json.dumps(content)
    return b64(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)


class JwtBuilder:
    """Builds tokens that are signed with one secret."""

    def __init__(self, secret: str | bytes, header: dict[str, Any], claims: dict[str, Any]) -> None:
        """Create a builder; `header` and `claims` are those of a valid token."""
        self.secret = secret.encode() if isinstance(secret, str) else secret
        self.header = header
        self.claims = claims

    def good(self) -> str:
        """Return a valid token."""
        return self.raw(self.header, self.claims)

    def with_claims(self, *drop: str, **changes: Any) -> str:
        """Return a token with changed or missing claims."""
        return self.raw(self.header, {k: v for k, v in {**self.claims, **changes}.items() if k not in drop})

    def with_header(self, *drop: str, **changes: Any) -> str:
        """Return a token with changed or missing header fields, correctly signed."""
        return self.raw({k: v for k, v in {**self.header, **changes}.items() if k not in drop}, self.claims)

    def raw(self, header: Part, claims: Part, digest: str = "sha256") -> str:
        """Return a signed token with this header and these claims."""
        signed = f"{part(header)}.{part(claims)}"
        return f"{signed}.{b64(hmac.new(self.secret, signed.encode(), getattr(hashlib, digest)).digest())}"


def equivalent_encodings(token: str) -> list[str]:
    """Return other encodings of the same bytes: the last character of a part may have unused bits."""
    parts, found = token.split("."), []
    for at, text in enumerate(parts):
        if len(text) % 4:
            twin = text[:-1] + B64[B64.index(text[-1]) | 1]
            found.append(".".join((*parts[:at], twin, *parts[at + 1 :])))
    return found


def forged_tokens(good: JwtBuilder, other: JwtBuilder) -> dict[str, str]:
    """Return tokens that must be refused, by name; `other` builds the other kind of token, with its own secret."""
    now, token = int(time.time()), good.good()
    header, claims, signature = token.split(".")
    quoted = json.dumps(good.claims)
    tokens = {
        "nothing": "",
        "no dots": "token",
        "dots": "..",
        "two parts": f"{header}.{claims}",
        "four parts": f"{token}.{signature}",
        "five parts": f"{token}.{signature}.{signature}",
        "empty signature": f"{header}.{claims}.",
        "short signature": token[:-4],
        "long signature": f"{token}AAAA",
        "trailing =": f"{token}=",
        "trailing ==": f"{token}==",
        "trailing dot": f"{token}.",
        "leading dot": f".{token}",
        "leading space": f" {token}",
        "inner space": f"{header}. {claims}.{signature}",
        "plus and slash": f"{header}.{claims}.{signature[:-2]}+/",
        "not base64": f"{header}.{claims}.!!!!",
        "claims changed": f"{header}.{part({**good.claims, 'exp': now + 99_999})}.{signature}",
        "header changed": f"{part({**good.header, 'typ': 'JWT', 'x': 1})}.{claims}.{signature}",
        "another secret": JwtBuilder("x" * 40, good.header, good.claims).good(),
        "empty secret": JwtBuilder("", good.header, good.claims).good(),
        "the other kind": other.good(),
        "the other kind's secret": JwtBuilder(other.secret, good.header, good.claims).good(),
        "the other kind's claims": JwtBuilder(good.secret, good.header, other.claims).good(),
        "the other kind's type": good.with_header(typ=other.header["typ"]),
        "odd typ": good.with_header(typ=["JWT"]),
        "null typ": good.with_header(typ=None),
        "unknown typ": good.with_header(typ="dpop+jwt"),
        "HS384": good.raw({**good.header, "alg": "HS384"}, good.claims, "sha384"),
        "HS512": good.raw({**good.header, "alg": "HS512"}, good.claims, "sha512"),
        "RS256 by HMAC": good.with_header(alg="RS256"),
        "odd alg": good.with_header(alg=["HS256"]),
        "no alg": good.with_header("alg"),
        "lower-case alg": good.with_header(alg="hs256"),
        "kid of a number": good.with_header(kid=1),
        "kid of a list": good.with_header(kid=[good.header.get("kid")]),
        "kid of nothing": good.with_header(kid=None),
        "kid of a path": JwtBuilder("", good.header, good.claims).with_header(kid="../../../../dev/null"),
        "kid of SQL": JwtBuilder("", good.header, good.claims).with_header(kid="' OR 1=1 --"),
        "critical header": good.with_header(crit=["exp"]),
        "critical b64": good.with_header(crit=["b64"], b64=True),
        "unencoded payload": good.with_header(crit=["b64"], b64=False),
        "embedded key": good.with_header(jwk={"kty": "oct", "k": b64(good.secret)}),
        "key by address": good.with_header(jku="https://example.com/keys.json"),
        "certificate by address": good.with_header(x5u="https://example.com/certificate.pem"),
        "compressed": good.with_header(zip="DEF"),
        "header of a list": good.raw("[]", good.claims),
        "header of text": good.raw("alg", good.claims),
        "deep header": good.raw("[" * 1500, good.claims),
        "header twice": good.raw('{"alg":"none",' + json.dumps(good.header)[1:], good.claims),
        "claims of a list": good.raw(good.header, "[]"),
        "claims of null": good.raw(good.header, "null"),
        "claims of bytes": good.raw(good.header, b"\xff\xfe\x00"),
        "deep claims": good.raw(good.header, "[" * 2000),
        "deep claim": good.raw(good.header, f'{quoted[:-1]}, "x": {"[" * 1200}{"]" * 1200}}}'),
        "nested claim": good.raw(good.header, f'{quoted[:-1]}, "x": {"[" * 300}{"]" * 300}}}'),
        "exp twice": good.raw(good.header, f'{{"exp": {now + 99_999}, {quoted[1:]}'),
        "sub twice": good.raw(good.header, f'{{"sub": "admin", {quoted[1:]}'),
        "exp NaN": good.raw(good.header, f'{{"exp": NaN, {json.dumps({**good.claims, "exp": 0})[1:]}'),
        "oversize": good.with_claims(padding="x" * 8000),
        "unicode": f"{token[:-2]}é",
        "fullwidth": "".join(chr(ord(c) + 0xFEE0) if c.isalnum() else c for c in token),
        "null character": f"{token}\0",
    }
    for alg in ("none", "None", "NONE", "nOnE"):
        unsigned = f"{part({**good.header, 'alg': alg})}.{claims}"
        tokens |= {f"{alg} unsigned": f"{unsigned}.", f"{alg} signed": good.with_header(alg=alg)}
    for claim in ("sub", "aud", "iat", "exp", *(("iss",) if "iss" in good.claims else ())):
        tokens[f"no {claim}"] = good.with_claims(claim)
        in_list = () if claim == "aud" else ([good.claims[claim]],)
        for odd in (None, True, [], {}, "", *in_list, float("nan"), float("inf"), -1):
            tokens[f"{claim} {odd!r}"] = good.with_claims(**{claim: odd})
    tokens["aud of numbers"] = good.with_claims(aud=[good.claims["aud"], 7])
    tokens["aud in an object"] = good.with_claims(aud={good.claims["aud"]: True})
    for claim in ("exp", "iat", "nbf"):
        tokens[f"{claim} in words"] = good.with_claims(**{claim: str(now + 900)})
        tokens[f"{claim} huge"] = good.with_claims(**{claim: 10**30})
        tokens[f"{claim} float"] = good.with_claims(**{claim: 1e300})
    for claim in ("iat", "nbf"):
        tokens[f"{claim} to come"] = good.with_claims(**{claim: now + 3600})
    for claim in ("aud", "iss"):
        if claim in good.claims:
            tokens[f"{claim} of another"] = good.with_claims(**{claim: "another"})
            tokens[f"{claim} in capitals"] = good.with_claims(**{claim: good.claims[claim].upper()})
    tokens["sub of a surrogate"] = good.raw(good.header, quoted.replace(good.claims["sub"], "\\ud800"))
    tokens |= {f"twin {n}": twin for n, twin in enumerate(equivalent_encodings(token))}
    return tokens


def access_token_builder(settings: Settings, **claims: Any) -> JwtBuilder:
    """Return a builder of access tokens of alice; `claims` replaces claims."""
    secret, now = settings.jwt_secret.get_secret_value(), int(time.time())
    header = {"alg": "HS256", "typ": "at+jwt", "kid": key_id(secret)}
    good = {
        "sub": "alice",
        "username": "alice",
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
        "iat": now,
        "exp": now + 900,
    }
    return JwtBuilder(secret, header, good | claims)


def action_token_builder(settings: Settings, user_id: str) -> JwtBuilder:
    """Return a builder of action tokens of a user, which are correctly signed but were never issued."""
    secret, now = settings.action_token_secret.get_secret_value(), int(time.time())
    header = {"alg": "HS256", "typ": "action+jwt", "kid": key_id(secret)}
    claims = {
        "sub": user_id,
        "act": "COMPLETE_LEVEL",
        "cat": "global",
        "pts": 50,
        "jti": uuid4().hex,
        "aud": "leaderboard-actions",
        "iat": now,
        "exp": now + 300,
    }
    return JwtBuilder(secret, header, claims)


def forged_access_tokens(settings: Settings) -> dict[str, str]:
    """Return access tokens that must be refused, by name."""
    good = access_token_builder(settings)
    more = {
        "long subject": good.with_claims(sub="x" * 256),
        "lives too long": good.with_claims(exp=good.claims["iat"] + settings.access_token_max_lifetime + 1),
        "lives for ten years": good.with_claims(exp=good.claims["iat"] + 10 * 365 * 86_400),
        "lived too long": good.with_claims(iat=int(time.time()) - settings.access_token_max_lifetime),
    }
    return forged_tokens(good, action_token_builder(settings, str(uuid4()))) | more
