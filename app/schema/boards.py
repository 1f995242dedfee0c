"""Boards, and where users stand on them."""

from __future__ import annotations

from datetime import datetime

import strawberry

from app.domain import boards as domain
from app.domain import catalogue
from app.schema.catalogue import Category
from app.schema.enums import Period, Source
from app.schema.users import User


@strawberry.type(description="One line of a board.")
class LeaderboardEntry:
    id: strawberry.ID = strawberry.field(description="Stable: names the board and the user.")
    rank: int = strawberry.field(
        description="1-based position: by score, then who reached it earlier, then user id. Never shared."
    )
    competition_rank: int = strawberry.field(description="1 + the users with a better score: equal scores share it.")
    tied_with: int = strawberry.field(description="How many other users have the same score.")
    score: int = strawberry.field(description="The score on this board.")
    reached_at: datetime = strawberry.field(description="When the score became what it is.")
    user: User = strawberry.field(description="Whose line it is.")

    @staticmethod
    def of(entry: domain.Entry, board: domain.Board) -> LeaderboardEntry:
        return LeaderboardEntry(
            id=strawberry.ID(f"{board.key}/{entry.user.id}"),
            rank=entry.rank,
            competition_rank=entry.competition_rank,
            tied_with=entry.tied_with,
            score=entry.score,
            reached_at=entry.reached_at,
            user=User.of(entry.user),
        )


@strawberry.type(description="A board at one version: every rank and total in it comes from one ordering.")
class Leaderboard:
    id: strawberry.ID = strawberry.field(description="Stable: names the board, its window, and the stretch shown.")
    category: Category = strawberry.field(description="What the scores are for.")
    period: Period = strawberry.field(description="The period of the board.")
    starts_at: datetime | None = strawberry.field(description="First instant of the window; null for ALL_TIME.")
    ends_at: datetime | None = strawberry.field(description="First instant after the window; null for ALL_TIME.")
    entries: list[LeaderboardEntry] = strawberry.field(description="In order, from `offset` on.")
    total_users: int = strawberry.field(description="How many users the board ranks.")
    epoch: strawberry.ID = strawberry.field(
        description="Names a run of versions. A rebuilt board starts a new epoch; compare versions within one only."
    )
    version: int = strawberry.field(description="Grows with every change, within an epoch.")
    as_of: datetime = strawberry.field(description="When the board last changed, as far as this reading knows.")
    source: Source = strawberry.field(description="Where the reading came from. All sources give the same order.")
    stale: bool = strawberry.field(description="True while the stores are away: newer scores may exist.")

    @staticmethod
    def of(page: domain.Page, category: catalogue.Category, limit: int) -> Leaderboard:
        board = page.board
        return Leaderboard(
            id=strawberry.ID(f"{board.key}?offset={page.offset}&limit={limit}"),
            category=Category.of(category),
            period=board.window.period,
            starts_at=board.window.starts_at,
            ends_at=board.window.ends_at,
            entries=[LeaderboardEntry.of(entry, board) for entry in page.entries],
            total_users=page.total_users,
            epoch=strawberry.ID(page.version.epoch),
            version=page.version.number,
            as_of=page.as_of,
            source=page.source,
            stale=page.stale,
        )


@strawberry.type(description="Where one user stands on a board. Without a row there is no rank, and the score is 0.")
class UserRank:
    id: strawberry.ID = strawberry.field(description="Stable: names the board and the user.")
    user: User = strawberry.field(description="Who it is about.")
    score: int = strawberry.field(description="The score on this board.")
    rank: int | None = strawberry.field(description="1-based position; null without a row.")
    competition_rank: int | None = strawberry.field(description="1 + the users with a better score.")
    tied_with: int = strawberry.field(description="How many other users have the same score.")
    users_above: int | None = strawberry.field(description="Users ahead: `rank - 1`.")
    users_below: int | None = strawberry.field(description="Users behind: `totalUsers - rank`.")
    total_users: int = strawberry.field(description="How many users the board ranks.")
    percentile: float | None = strawberry.field(description="Users behind, as a percentage of all users.")
    updated_at: datetime | None = strawberry.field(description="When the score became what it is.")

    @staticmethod
    def of(place: domain.Place, user: User) -> UserRank:
        return UserRank(
            id=strawberry.ID(f"{place.board.key}/{place.user_id}"),
            user=user,
            score=place.score,
            rank=place.rank,
            competition_rank=place.competition_rank,
            tied_with=place.tied_with,
            users_above=place.above,
            users_below=place.below,
            total_users=place.total_users,
            percentile=place.percentile,
            updated_at=place.reached_at,
        )
