"""An identity provider that signs access tokens with its own keys and publishes a key set."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key

from app.config import Settings
from tests.support.hostile.jwt_builder import b64


class Provider:
    """Has one key for each id, and publishes all keys that are not withdrawn."""

    def __init__(self, *ids: str) -> None:
        self.keys: dict[str, RSAPrivateKey] = {}
        self.published: dict[str, dict[str, Any]] = {}
        for kid in ids:
            self.publish(kid)

    def publish(self, kid: str) -> None:
        """Publish a new key under that id."""
        key = self.keys[kid] = generate_private_key(public_exponent=65537, key_size=2048)
        self.published[kid] = {"kty": "RSA", "use": "sig", "kid": kid, "n": b64(modulus(key.public_key())), "e": "AQAB"}

    def withdraw(self, kid: str) -> None:
        """Remove a key from the key set."""
        del self.published[kid]

    @property
    def document(self) -> dict[str, Any]:
        """The key set."""
        return {"keys": list(self.published.values())}

    def sign(self, kid: str, claims: dict[str, Any], /, **header: Any) -> str:
        """Return a token with these claims."""
        return jwt.encode(claims, self.keys[kid], "RS256", {"kid": kid, **header})

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


def modulus(key: RSAPublicKey) -> bytes:
    """Return the modulus of a key of 2048 bits."""
    return key.public_numbers().n.to_bytes(256, "big")


@asynccontextmanager
async def serve_keys(provider: Provider) -> AsyncIterator[str]:
    """Serve the key set over HTTP during the block; yield its URL."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps(provider.document).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys.json"
