"""Made-up players with a past, for demonstrations and for tests of size. All of them obey the rules of the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

from app.domain.catalogue.catalogue import Action, Category, Operator
from app.domain.errors import BadUserInput
from app.domain.ids import uuid7
from app.domain.ledger.transactions import Actor, Kind, Transaction
from app.domain.users import Profile, Role

REASON = "seed"
"""What the transactions of made-up players say: no token was consumed for them."""

ADJECTIVES = (
    "amber", "bold", "brave", "bright", "calm", "clever", "cosmic", "crimson", "daring", "eager", "electric", "fierce",
    "frosty", "gentle", "golden", "happy", "hidden", "indigo", "jolly", "keen", "lively", "lucky", "lunar", "mighty",
    "nimble", "noble", "polar", "proud", "quick", "quiet", "rapid", "royal", "rusty", "shiny", "silent", "silver",
    "solar", "stormy", "sunny", "swift", "tiny", "velvet", "vivid", "wild", "witty", "zesty",
)  # fmt: skip
ANIMALS = (
    "badger", "bat", "bear", "beaver", "bison", "cat", "cobra", "crane", "crow", "deer", "dolphin", "eagle", "falcon",
    "ferret", "finch", "fox", "gecko", "hare", "hawk", "heron", "ibex", "jaguar", "koala", "lemur", "lion", "lynx",
    "marten", "mole", "moose", "newt", "orca", "otter", "owl", "panda", "puffin", "raven", "robin", "seal", "shark",
    "swan", "tiger", "toad", "viper", "walrus", "whale", "wolf", "wombat", "yak",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Player:
    """A user and the chain of transactions that made the score. A player may have none."""

    profile: Profile
    transactions: Sequence[Transaction]


class SyntheticPlayers:
    """Makes players up, all of one category. The same `random` makes the same players."""

    def __init__(self, category: Category, actions: Iterable[Action], now: datetime, days: int, random: Random) -> None:
        """Everything happens in the last `days` UTC days, today being the first of them, and before `now`.

        Raises BadUserInput for a category whose scores are no sums, or one without an action to repeat.
        """
        if category.operator is not Operator.SUM:
            raise BadUserInput(f"The category {category.id} must have the operator SUM.")
        self._awards = [
            (action.id, points)
            for action in actions
            if action.category == category.id and action.repeatable and action.daily_limit is None
            for points in (action.points, *action.difficulties.values())
        ]
        if not self._awards:
            raise BadUserInput(f"The category {category.id} must have an enabled action that is repeatable.")
        self._category = category
        self._now = now
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._start = midnight - timedelta(days=days - 1)
        self._span = (now - self._start) // timedelta(microseconds=1)
        self._random = random

    def make(self, count: int, actions: int) -> list[Player]:
        """`count` players who share `actions` completed actions: each has one while there are enough, few have many."""
        ids = sorted(uuid7(self._now, self._random.randbytes) for _ in range(count))
        shares = [int(index < actions) for index in range(count)]
        for _ in range(actions - sum(shares)):
            shares[int(count * self._random.random() ** 2)] += 1
        self._random.shuffle(shares)
        return [self.player(one, self._name(one), share) for one, share in zip(ids, shares, strict=True)]

    def player(self, user_id: UUID, username: str, actions: int) -> Player:
        """A player of that id and name, with up to `actions` completed actions: none that the cap would refuse."""
        random, category, span = self._random, self._category, self._span
        moments = sorted(self._start + timedelta(microseconds=int(random.random() * span)) for _ in range(actions))
        profile = Profile(user_id, username, None, moments[0] if moments else self._now)
        actor = Actor(user_id, Role.PLAYER.value)
        chain: list[Transaction] = []
        score, previous_hash = 0, b""
        for seq, moment in enumerate(moments, 1):
            action_id, points = random.choice(self._awards)
            delta = min(points, category.score_cap - score)
            if delta == 0:
                break
            score += delta
            transaction = Transaction(
                id=uuid7(moment, random.randbytes),
                user_id=user_id,
                seq=seq,
                category_id=category.id,
                action_id=action_id,
                kind=Kind.ACTION,
                points=points,
                delta=delta,
                score=score,
                token_hash=None,
                request_key=None,
                request_hash=None,
                actor=actor,
                reason=REASON,
                created_at=moment,
                previous_hash=previous_hash,
            )
            previous_hash = transaction.hash
            chain.append(transaction)
        return Player(profile, chain)

    def _name(self, user_id: UUID) -> str:
        # The random end of the id: no two are alike, in this crowd or an earlier one.
        return f"{self._random.choice(ADJECTIVES)}-{self._random.choice(ANIMALS)}-{user_id.hex[-12:]}"
