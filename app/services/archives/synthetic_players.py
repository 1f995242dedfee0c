"""Synthetic players with a history that obeys all rules of the ledger, for demonstrations and load tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from uuid import UUID

from app.domain.catalogue.catalogue import Action, Category, Operator
from app.domain.errors import BadUserInput
from app.domain.ids import uuid7
from app.domain.ledger.transactions import Actor, Kind, Transaction
from app.domain.users import Profile, Role
from app.runtime import Runtime

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
class SyntheticPlayer:
    """A user and the chain of transactions, which may be empty."""

    profile: Profile
    transactions: Sequence[Transaction]


class SyntheticPlayers:
    """Makes synthetic players of one category. Equal random numbers make equal players."""

    def __init__(self, category: Category, actions: Iterable[Action], days: int, runtime: Runtime) -> None:
        """Choose the possible awards.

        Args:
            category: The category of all transactions.
            actions: The actions of the catalogue.
            days: All transactions are in this many UTC days, of which today is the last.
            runtime: The source of time and of random numbers.

        Raises:
            BadUserInput: The category does not add scores up, or has no repeatable action.
        """
        if category.operator is not Operator.SUM:
            raise BadUserInput(f"The category {category.id} must have the operator SUM.")
        self._awards = [
            (action.id, points)
            for action in actions
            if action.category == category.id and action.repeatable and action.daily_limit is None
            for points in (action.points, *action.difficulties.values())
            if points is not None
        ]
        if not self._awards:
            raise BadUserInput(f"The category {category.id} must have an enabled action that is repeatable.")
        self._category = category
        self._now = now = runtime.clock()
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._start = midnight - timedelta(days=days - 1)
        self._span = (now - self._start) // timedelta(microseconds=1)
        self._random = runtime.random

    def make_players(self, count: int, actions: int) -> list[SyntheticPlayer]:
        """Return `count` players with `actions` actions altogether: one each if possible, and many for a few."""
        ids = sorted(uuid7(self._now, self._random.randbytes) for _ in range(count))
        shares = [int(index < actions) for index in range(count)]
        for _ in range(actions - sum(shares)):
            shares[int(count * self._random.random() ** 2)] += 1
        self._random.shuffle(shares)
        return [
            self.make_player(user_id, self._make_name(user_id), share)
            for user_id, share in zip(ids, shares, strict=True)
        ]

    def make_player(self, user_id: UUID, username: str, actions: int) -> SyntheticPlayer:
        """Return a player with up to `actions` actions, or fewer if the score reaches the cap of the category."""
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
                reason=None,
                created_at=moment,
                previous_hash=previous_hash,
            )
            previous_hash = transaction.hash
            chain.append(transaction)
        return SyntheticPlayer(profile, chain)

    def _make_name(self, user_id: UUID) -> str:
        # The random end of the id makes the name unique, also among players of an earlier seeding.
        return f"{self._random.choice(ADJECTIVES)}-{self._random.choice(ANIMALS)}-{user_id.hex[-12:]}"
