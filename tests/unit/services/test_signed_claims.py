"""Tokens by a shared secret: one spelling, one algorithm, and only a secret for a key."""

import hmac
from base64 import urlsafe_b64encode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.services.secrets import Secrets
from app.services.signed_claims import BadToken, ExpiredToken, read_claims, read_header

SECRET = "a secret of more than thirty-two bytes"
OTHER = "another secret, of as many bytes or more"
CLAIMS = {"sub": "alice", "aud": "here", "iat": 1000, "exp": 2000}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def read(token: str, *keys: str, now: float = 1500, algorithm: str | None = None) -> dict[str, object]:
    header = read_header(token)
    return read_claims(token, keys or (SECRET,), algorithm=algorithm or header.algorithm, audience="here", now=now)


def test_it_reads_what_pyjwt_signed():
    assert read(Secrets(SECRET).sign(CLAIMS, "t")) == CLAIMS
    assert read(jwt.encode(CLAIMS, SECRET, "HS256")) == CLAIMS


def test_any_of_the_keys_may_have_signed():
    token = jwt.encode(CLAIMS, SECRET, "HS256")
    assert read(token, OTHER, SECRET) == CLAIMS
    with pytest.raises(BadToken):
        read(token, OTHER)
    with pytest.raises(BadToken):
        read_claims(token, (), algorithm="HS256", audience="here", now=1500)


def test_an_expired_token_says_what_it_was():
    with pytest.raises(ExpiredToken) as late:
        read(jwt.encode(CLAIMS, SECRET, "HS256"), now=2000)
    assert late.value.claims == CLAIMS


def test_every_change_of_a_character_is_noticed():
    token = jwt.encode(CLAIMS, SECRET, "HS256")
    for place, character in enumerate(token):
        # The last character of a signature has bits to spare, which other readers ignore.
        for other in ALPHABET if place == len(token) - 1 else "Aa_.=\n":
            if other != character:
                with pytest.raises(BadToken):
                    read(token[:place] + other + token[place + 1 :], algorithm="HS256")


@pytest.mark.parametrize("more", ["=", "A", ".", ".A", "\n", " ", "é"])
def test_nothing_may_be_added(more: str):
    with pytest.raises(BadToken):
        read(jwt.encode(CLAIMS, SECRET, "HS256") + more)


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_other_algorithms_do_not_take_the_secret(algorithm: str):
    long = SECRET * 2
    with pytest.raises(BadToken):
        read(jwt.encode(CLAIMS, long, algorithm), long)


@pytest.mark.filterwarnings("ignore")
def test_a_short_secret_is_none():
    with pytest.raises(BadToken):
        read(jwt.encode(CLAIMS, "short", "HS256"), "short")


def test_a_public_key_is_no_secret():
    key = generate_private_key(SECP256R1())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    forged = _signed_by(public)
    with pytest.raises(BadToken):
        read(forged, public)
    with pytest.raises(BadToken):
        read(jwt.encode(CLAIMS, key, "ES256"), public)


def _signed_by(secret: str) -> str:
    """A token that PyJWT would not sign."""
    content = jwt.encode(CLAIMS, SECRET, "HS256").rpartition(".")[0]
    mac = hmac.digest(secret.encode(), content.encode(), "sha256")
    return f"{content}.{urlsafe_b64encode(mac).decode().rstrip('=')}"
