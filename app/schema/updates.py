"""Messages of subscriptions."""

from __future__ import annotations

from datetime import datetime

import strawberry

from app.domain import boards as domain
from app.domain import catalogue, rivals
from app.domain.users import Profile
from app.schema.boards import Leaderboard, UserRank
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
    def of(update: domain.BoardUpdate, category: catalogue.Category, stretch: str) -> LeaderboardUpdate:
        """`stretch` names the part of the board that is watched."""
        leaderboard = Leaderboard.of(update.page, category, stretch)
        return LeaderboardUpdate(
            kind=update.kind,
            epoch=leaderboard.epoch,
            version=leaderboard.version,
            as_of=leaderboard.as_of,
            leaderboard=leaderboard,
            changes=[RankChange.of(change) for change in update.changes],
        )


@strawberry.type(description="One player's score and rank, and what changed: for spectators, and to tell who passed.")
class UserUpdate:
    kind: UpdateKind = strawberry.field(description="SNAPSHOT to begin with and after a change of window, else UPDATE.")
    user: User = strawberry.field(description="Who it is about.")
    score: int = strawberry.field(description="The score now; 0 without one.")
    rank: int | None = strawberry.field(description="The rank now; null without a score.")
    previous_rank: int | None = strawberry.field(
        description="The rank in the message before; null when there was none. In a SNAPSHOT the rank itself."
    )
    score_delta: int = strawberry.field(description="What was gained since the message before; 0 in a SNAPSHOT.")
    overtaken_by: User | None = strawberry.field(
        description="The nearest user above who passed since the message before, if the rank fell and that is certain."
    )
    standing: UserRank = strawberry.field(description="All that is known of the player's place, as of this message.")

    @staticmethod
    def of(change: rivals.UserChange, profile: Profile) -> UserUpdate:
        """`profile` stands in for a user of whom the board knows nothing."""
        user = User.of(change.user or profile)
        return UserUpdate(
            kind=change.kind,
            user=user,
            score=change.place.score,
            rank=change.place.rank,
            previous_rank=change.previous_rank,
            score_delta=change.score_delta,
            overtaken_by=User.of(change.overtaken_by) if change.overtaken_by else None,
            standing=UserRank.of(change.place, user),
        )
