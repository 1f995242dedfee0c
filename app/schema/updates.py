"""Messages of subscriptions."""

from __future__ import annotations

from datetime import datetime

import strawberry

from app.domain import boards as domain
from app.domain import catalogue
from app.schema.boards import Leaderboard
from app.schema.enums import UpdateKind
from app.schema.users import User


@strawberry.type(description="How one user moved in the visible part of a board.")
class RankChange:
    user: User = strawberry.field(description="Who moved.")
    old_rank: int | None = strawberry.field(description="Rank before; null when it was outside of the visible part.")
    new_rank: int | None = strawberry.field(description="Rank now; null when it is outside of the visible part.")
    score: int = strawberry.field(description="The score now, as far as visible.")
    score_delta: int = strawberry.field(description="What was gained since the message before, as far as visible.")

    @staticmethod
    def of(change: domain.RankChange) -> RankChange:
        return RankChange(
            user=User.of(change.user),
            old_rank=change.old_rank,
            new_rank=change.new_rank,
            score=change.score,
            score_delta=change.score_delta,
        )


@strawberry.type(
    description=(
        "The whole visible board, and what moved. The first message is a SNAPSHOT; a lost or repeated one is harmless."
    )
)
class LeaderboardUpdate:
    kind: UpdateKind = strawberry.field(description="SNAPSHOT to begin with and after a change of window, else UPDATE.")
    epoch: strawberry.ID = strawberry.field(description="As on the leaderboard.")
    version: int = strawberry.field(description="As on the leaderboard: within an epoch it never goes back.")
    as_of: datetime = strawberry.field(description="As on the leaderboard.")
    leaderboard: Leaderboard = strawberry.field(description="The whole visible board.")
    changes: list[RankChange] = strawberry.field(description="What moved since the message before; none in a SNAPSHOT.")

    @staticmethod
    def of(update: domain.BoardUpdate, category: catalogue.Category, limit: int) -> LeaderboardUpdate:
        leaderboard = Leaderboard.of(update.page, category, limit)
        return LeaderboardUpdate(
            kind=update.kind,
            epoch=leaderboard.epoch,
            version=leaderboard.version,
            as_of=leaderboard.as_of,
            leaderboard=leaderboard,
            changes=[RankChange.of(change) for change in update.changes],
        )
