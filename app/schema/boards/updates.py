"""Messages of subscriptions."""

from __future__ import annotations

from datetime import datetime

import strawberry

from app.domain.boards import board as domain
from app.domain.boards import overtaking
from app.domain.boards.board_query import BoardQuery
from app.schema.boards.entries import ReadMovement
from app.schema.boards.leaderboard import Leaderboard, UserRank
from app.schema.enums import UpdateKind
from app.schema.players.users import User
from app.schema.scalars import Score


@strawberry.type(description="How one user's rank and score changed within the watched part of a board.")
class RankChange:
    user: User = strawberry.field(description="The user whose rank, score or name changed.")
    old_rank: int | None = strawberry.field(
        description="The rank in the previous message. Null if the user was outside the watched part."
    )
    new_rank: int | None = strawberry.field(
        description="The rank in this message. Null if the user is now outside the watched part."
    )
    score: Score = strawberry.field(
        description="The score in this message, or the last known one if the user left the watched part."
    )
    score_delta: Score = strawberry.field(
        description="The change of the score since the previous message. 0 if it is not known."
    )

    @staticmethod
    def of(change: domain.RankChange) -> RankChange:
        """Convert a change."""
        return RankChange(
            user=User.of(change.user),
            old_rank=change.old_rank,
            new_rank=change.new_rank,
            score=change.score,
            score_delta=change.score_delta,
        )


@strawberry.type(
    description=(
        "The watched part of a board, in full, and what changed since the previous message. Each message is "
        "complete, so a lost or repeated message does no harm."
    )
)
class LeaderboardUpdate:
    kind: UpdateKind = strawberry.field(
        description="SNAPSHOT for the first message and after a new window begins, otherwise UPDATE."
    )
    epoch: strawberry.ID = strawberry.field(description="The `epoch` of the leaderboard in this message.")
    version: int = strawberry.field(
        description="The `version` of the leaderboard in this message. It never decreases within an epoch."
    )
    as_of: datetime = strawberry.field(description="The `asOf` time of the leaderboard in this message.")
    leaderboard: Leaderboard = strawberry.field(
        description="The watched part of the board, in full. Replace what you show with it."
    )
    changes: list[RankChange] = strawberry.field(
        description=("The users whose rank, score or name changed since the previous message. Empty in a SNAPSHOT.")
    )
    changed_at: strawberry.Private[float | None] = None

    @staticmethod
    def of(update: domain.BoardUpdate, query: BoardQuery, read_movement: ReadMovement) -> LeaderboardUpdate:
        """Convert an update of the board that `query` watches."""
        leaderboard = Leaderboard.of(update.page, query, read_movement)
        return LeaderboardUpdate(
            kind=update.kind,
            epoch=leaderboard.epoch,
            version=leaderboard.version,
            as_of=leaderboard.as_of,
            leaderboard=leaderboard,
            changes=[RankChange.of(change) for change in update.changes],
            changed_at=update.changed_at,
        )


@strawberry.type(description="A user's score and rank on a board, and what changed since the previous message.")
class UserUpdate:
    kind: UpdateKind = strawberry.field(
        description="SNAPSHOT for the first message and after a new window begins, otherwise UPDATE."
    )
    user: User = strawberry.field(description="The user who is being watched.")
    score: Score = strawberry.field(description="The current score on this board; 0 if there is none.")
    rank: int | None = strawberry.field(description="The current rank on this board. Null if the user has no score.")
    previous_rank: int | None = strawberry.field(
        description="The rank in the previous message. In a SNAPSHOT it equals `rank`. Null if the user had no score."
    )
    score_delta: Score = strawberry.field(
        description="The change of the score since the previous message; 0 in a SNAPSHOT."
    )
    overtaken_by: User | None = strawberry.field(
        description=(
            "The nearest user above who passed the watched user since the previous message. Null if the rank "
            "did not fall, or if it is not certain who passed."
        )
    )
    standing: UserRank = strawberry.field(description="The complete position of the user on the board at this message.")

    @staticmethod
    def of(change: overtaking.UserChange) -> UserUpdate:
        """Convert a change, which must have a user."""
        assert change.user is not None
        user = User.of(change.user)
        return UserUpdate(
            kind=change.kind,
            user=user,
            score=change.standing.score,
            rank=change.standing.rank,
            previous_rank=change.previous_rank,
            score_delta=change.score_delta,
            overtaken_by=User.of(change.overtaken_by) if change.overtaken_by else None,
            standing=UserRank.of(change.standing, user),
        )
