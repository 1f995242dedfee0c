"""The canonical form of a transaction, on which all hash chains rest."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import orjson
from hypothesis import given
from hypothesis import strategies as st

from app.domain.ledger.transactions import Actor, Kind, Transaction
from app.domain.scores import MAX_SCORE

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ENTRY = Transaction(
    id=UUID(int=1), user_id=UUID(int=2), seq=1, category_id="global", action_id="COMPLETE_QUIZ", kind=Kind.ACTION,
    points=10, delta=10, score=10, token_hash=bytes(32), request_key=None, request_hash=None,
    actor=Actor(UUID(int=2), "player", "203.0.113.7", 'A "browser"\n\x7f \\ 李'), reason=None, created_at=NOON,
    previous_hash=b"",
)  # fmt: skip

texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.integers(-MAX_SCORE, MAX_SCORE)
hashes = st.none() | st.binary(max_size=32)
transactions = st.builds(
    Transaction,
    id=st.uuids(),
    user_id=st.uuids(),
    seq=st.integers(1, 2**63 - 1),
    category_id=texts,
    action_id=texts,
    kind=st.sampled_from(Kind),
    points=numbers,
    delta=numbers,
    score=numbers,
    token_hash=hashes,
    request_key=texts,
    request_hash=hashes,
    actor=st.builds(Actor, st.none() | st.uuids(), st.text(st.characters(exclude_categories=["Cs"])), texts, texts),
    reason=texts,
    created_at=st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    previous_hash=st.binary(max_size=32),
)


def test_the_hash_of_an_entry_stays_what_it_is():
    assert ENTRY.hash.hex() == "9c45e288a56a8899217c90c93b59dd135b8761721d15c663a46256c0bfc5019c"


@given(transactions)
def test_the_canonical_form_is_compact_json_whichever_library_writes_it(entry: Transaction):
    actor = entry.actor
    token, request = (None if raw is None else raw.hex() for raw in (entry.token_hash, entry.request_hash))
    content = [
        entry.id, entry.user_id, entry.seq, entry.category_id, entry.action_id, entry.kind, entry.points, entry.delta,
        entry.score, token, entry.request_key, request, actor.id, actor.role, actor.address, actor.user_agent,
        entry.reason, round(entry.created_at.timestamp() * 1_000_000),
    ]  # fmt: skip
    assert entry.hash == hashlib.sha256(entry.previous_hash + orjson.dumps(content)).digest()


def test_every_change_of_an_entry_changes_its_hash():
    changed = [replace(ENTRY, reason=""), replace(ENTRY, score=11), replace(ENTRY, actor=Actor(None, "player"))]
    assert len({entry.hash for entry in [ENTRY, *changed]}) == 4
