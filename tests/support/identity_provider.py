"""An identity provider that signs access tokens with its own keys, and publishes a key set and its configuration."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from app.config import Settings

CONFIGURATION_PATH = "/.well-known/openid-configuration"


class Provider:
    """Has one key for each id, and publishes all keys that are not withdrawn."""

    def __init__(self, *ids: str) -> None:
        self.keys: dict[str, Any] = {}
        self.algorithms: dict[str, str] = {}
        self.published: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.configuration: dict[str, Any] | bytes = {}
        """What is served as the OpenID configuration, besides `jwks_uri` and the issuer."""
        for kid in ids:
            self.publish(kid)

    def publish(self, kid: str, algorithm: str = "RS256", *, with_algorithm: bool = False) -> None:
        """Publish a new key under that id; key sets may leave out its algorithm."""
        key, published = _new_key(algorithm)
        self.keys[kid], self.algorithms[kid] = key, algorithm
        self.published[kid] = {**published, "use": "sig", "kid": kid} | ({"alg": algorithm} if with_algorithm else {})

    def withdraw(self, kid: str) -> None:
        """Remove a key from the key set."""
        del self.published[kid]

    @property
    def document(self) -> dict[str, Any]:
        """The key set."""
        return {"keys": list(self.published.values())}

    def sign(self, kid: str, claims: dict[str, Any], /, **header: Any) -> str:
        """Return a token with these claims."""
        return jwt.encode(claims, self.keys[kid], self.algorithms[kid], {"kid": kid, **header})

    def token(self, kid: str, settings: Settings, subject: str, ttl: int = 900) -> str:
        """Return an access token of `subject`, valid for `ttl` seconds."""
        now = int(time.time())
        return self.sign(
            kid,
            {
                "sub": subject,
                "iss": settings.jwt_issuer,
                "aud": settings.jwt_audience,
                "iat": now,
                "exp": now + ttl,
            },
        )


def _new_key(algorithm: str) -> tuple[Any, dict[str, Any]]:
    """Return a private key for an algorithm, and its public key as a JWK."""
    if algorithm == "ES256":
        elliptic = ec.generate_private_key(ec.SECP256R1())
        return elliptic, ECAlgorithm.to_jwk(elliptic.public_key(), as_dict=True)
    if algorithm == "EdDSA":
        edwards = ed25519.Ed25519PrivateKey.generate()
        return edwards, OKPAlgorithm.to_jwk(edwards.public_key(), as_dict=True)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return key, {name: public[name] for name in ("kty", "n", "e")}


def modulus(key: RSAPublicKey) -> bytes:
    """Return the modulus of a key of 2048 bits."""
    return key.public_numbers().n.to_bytes(256, "big")


@asynccontextmanager
async def serve_keys(provider: Provider) -> AsyncIterator[str]:
    """Serve the key set and the OpenID configuration over HTTP during the block; yield the URL of the key set.

    The issuer of the configuration is the origin of that URL.
    """
    origin = ""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        provider.requests.append(path)
        content: dict[str, Any] | bytes = provider.document
        if path == CONFIGURATION_PATH:
            content = provider.configuration
            if isinstance(content, dict):
                content = {"issuer": origin, "jwks_uri": f"{origin}/keys.json"} | content
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield f"{origin}/keys.json"
