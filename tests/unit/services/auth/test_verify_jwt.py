"""Tokens by a shared secret: one spelling, one algorithm, and only a secret for a key."""

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from app.services.auth.signing_keys import SigningKeys
from app.services.auth.verify_jwt import (
    BadToken,
    ClaimRules,
    ExpiredToken,
    RefusedClaims,
    read_claims,
    read_header,
    shared_secret,
)
from tests.support.hostile.jwt_builder import equivalent_encodings

SECRET = "a secret of more than thirty-two bytes"
OTHER = "another secret, of as many bytes or more"
CLAIMS = {"sub": "alice", "aud": "here", "iat": 1000, "exp": 2000}
HERE = frozenset({"here"})
RULES = ClaimRules(HERE)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def read(token: str, *keys: str, now: float = 1500, algorithm: str | None = None) -> dict[str, object]:
    header = read_header(token)
    secrets = [shared_secret(key) for key in keys or (SECRET,)]
    return read_claims(token, secrets, algorithm=algorithm or header.algorithm, rules=RULES, now=now)[0]


def test_it_reads_what_pyjwt_signed():
    assert read(SigningKeys(SECRET).sign(CLAIMS, "t")) == CLAIMS
    assert read(jwt.encode(CLAIMS, SECRET, "HS256")) == CLAIMS


def test_any_of_the_keys_may_have_signed():
    token = jwt.encode(CLAIMS, SECRET, "HS256")
    assert read(token, OTHER, SECRET) == CLAIMS
    with pytest.raises(BadToken):
        read(token, OTHER)
    with pytest.raises(BadToken):
        read_claims(token, (), algorithm="HS256", rules=RULES, now=1500)


def test_the_error_of_an_expired_token_has_its_claims():
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


@pytest.mark.parametrize("short", ["", "short", "x" * 31])
def test_a_short_secret_is_none(short: str):
    with pytest.raises(ValueError, match="HMAC key"):
        shared_secret(short)


def test_a_public_key_is_no_secret():
    key = generate_private_key(SECP256R1())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(ValueError, match="asymmetric key"):
        shared_secret(public)
    with pytest.raises(BadToken):
        read(jwt.encode(CLAIMS, key, "ES256"))


def test_the_signature_of_a_public_key_has_one_spelling_too():
    key = generate_private_key(SECP256R1())
    token = jwt.encode(CLAIMS, key, "ES256", {"kid": "k1"})
    trusted = [jwt.PyJWK(ECAlgorithm.to_jwk(key.public_key(), as_dict=True))]
    assert read_claims(token, trusted, algorithm="ES256", rules=RULES, now=1500) == (CLAIMS, 0)
    (twin,) = equivalent_encodings(token.rpartition(".")[2])
    with pytest.raises(BadToken):
        read_claims(f"{token.rpartition('.')[0]}.{twin}", trusted, algorithm="ES256", rules=RULES, now=1500)


def test_the_index_of_the_signing_key_is_returned():
    secrets = [shared_secret(OTHER), shared_secret(SECRET)]
    token = jwt.encode(CLAIMS, SECRET, "HS256")
    assert read_claims(token, secrets, algorithm="HS256", rules=RULES, now=1500) == (CLAIMS, 1)


@pytest.mark.parametrize("now", [1001, 1999, 2001])
def test_a_token_that_lives_too_long_is_bad_from_beginning_to_end(now: float):
    token, secrets = jwt.encode(CLAIMS, SECRET, "HS256"), [shared_secret(SECRET)]
    with pytest.raises(BadToken) as bad:
        read_claims(token, secrets, algorithm="HS256", rules=ClaimRules(HERE, max_lifetime=999), now=now)
    assert type(bad.value) is RefusedClaims
    if now < 2000:
        read_claims(token, secrets, algorithm="HS256", rules=ClaimRules(HERE, max_lifetime=1000), now=now)
