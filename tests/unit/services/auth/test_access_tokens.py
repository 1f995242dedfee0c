"""Verified access tokens are cached, but not beyond their validity."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.domain.errors import Unauthenticated
from app.domain.identity.issuers import Issuer
from app.domain.users import Role, SigningKey
from app.services.auth.access_tokens import AccessTokens, Candidate, IdentityProvider, mint
from app.services.auth.signing_keys import SigningKeys
from tests.support.runtime import runtime_for

ISSUER = Issuer("me", audiences=frozenset({"here"}))
SECRETS = SigningKeys("a secret of more than thirty-two bytes")


class Keys:
    """The one key, until it is withdrawn; counts who asks."""

    algorithms = ["HS256"]  # noqa: RUF012 - never changed

    def __init__(self) -> None:
        self.asked = 0
        self.key: SigningKey | None = SigningKey()

    async def candidates(self, kid: str | None) -> Sequence[Candidate]:
        self.asked += 1
        return [Candidate(secret, self.key) for secret in SECRETS.candidates(kid)] if self.key else []

    def withdraw(self) -> None:
        key, self.key = self.key, None
        assert key is not None
        key.withdraw()


class Verifying:
    """Access tokens with a clock that stands at 1000."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.keys = Keys()
        self.tokens = AccessTokens(
            [IdentityProvider(ISSUER, self.keys, ISSUER.subject_ids())],
            runtime_for(lambda: datetime.fromtimestamp(self.now, UTC)),
            max_lifetime=3600,
            capacity=2,
        )

    def token(self, subject: str = "alice", **more: Any) -> str:
        claims: dict[str, Any] = {"role": Role.PLAYER, "ttl": 900, "issuer": ISSUER, "now": 1000}
        return mint(SECRETS, subject=subject, **(claims | more))

    async def refusal(self, token: str) -> Unauthenticated:
        with pytest.raises(Unauthenticated) as refused:
            await self.tokens.verify(token)
        return refused.value


async def test_a_token_is_read_once():
    one = Verifying()
    token = one.token()
    assert await one.tokens.verify(token) is await one.tokens.verify(token)
    assert one.keys.asked == 1


async def test_the_cache_of_verified_tokens_is_bounded():
    one = Verifying()
    tokens = [one.token(name) for name in ("a", "b", "c", "a")]
    for token in tokens:
        await one.tokens.verify(token)
    assert one.keys.asked == 4


async def test_a_cached_token_expires():
    one = Verifying()
    token = one.token()
    await one.tokens.verify(token)
    one.now = 1900
    assert (await one.refusal(token)).expired


async def test_a_cached_token_of_a_withdrawn_key_is_refused_like_an_invalid_one():
    one = Verifying()
    token = one.token()
    await one.tokens.verify(token)
    one.keys.withdraw()
    assert not (await one.refusal(token)).expired


async def test_a_key_that_comes_back_verifies_its_tokens_anew():
    one = Verifying()
    token = one.token()
    before = await one.tokens.verify(token)
    one.keys.withdraw()
    one.keys.key = SigningKey()
    after = await one.tokens.verify(token)
    assert after == before
    assert after.signing_key is one.keys.key


@pytest.mark.parametrize("now", [1000, 4000, 5000])
async def test_a_token_with_the_maximum_lifetime_is_accepted_and_one_with_a_second_more_is_refused(now: int):
    one = Verifying()
    one.now = now
    longest = one.token(ttl=3600)
    if now < 4600:
        await one.tokens.verify(longest)
    else:
        assert (await one.refusal(longest)).expired
    assert not (await one.refusal(one.token(ttl=3601))).expired


async def test_a_refusal_is_logged_with_the_reason_and_the_setting_and_without_the_token():
    one = Verifying()
    other = Issuer("me", audiences=frozenset({"elsewhere"}))
    token = one.token(issuer=other)
    with capture_logs() as lines:
        await one.refusal(token)
    (line,) = lines
    assert (line["event"], line["check"], line["signed"]) == ("access_token_refused", "audience", True)
    assert line["detail"] == "`aud` is 'elsewhere', and not `here`"
    assert "JWT_AUDIENCE" in line["advice"]
    assert not any(part in str(line) for part in token.split("."))


async def test_forged_tokens_cannot_flood_the_log_nor_hide_other_refusals():
    one = Verifying()
    with capture_logs() as lines:
        for number in range(500):
            await one.refusal(f"{number}.b.c")
            await one.refusal(one.token(f"user-{number}")[:-4] + "AAAA")
        await one.refusal(one.token(issuer=Issuer("another", audiences=frozenset({"here"}))))
        await one.refusal(one.token(ttl=4000))
    assert [line["check"] for line in lines] == ["form", "signature", "issuer", "lifetime"]
