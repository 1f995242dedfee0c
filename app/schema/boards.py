"""Boards, and where users stand on them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import datetime

import strawberry

from app.domain import boards as domain
from app.domain import catalogue
from app.schema.arguments import AfterCursor, BeforeCursor, First, Last, Radius, UserId, UserIds
from app.schema.catalogue import Category
from app.schema.entries import LeaderboardEntry
from app.schema.enums import Period, Source
from app.schema.standings import (
    FriendStanding,
    StandingConnection,
    around_view,
    friends_view,
    standings_view,
)
from app.schema.users import User


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

    board: strawberry.Private[domain.Board]
    beside: strawberry.Private[Mapping[Hashable, domain.Page]]
    """What else was asked of the board, read together with the page: by the view that it answers."""

    @strawberry.field(
        description=(
            "A user with their neighbours: `2 * radius + 1` entries with the user as near to the middle as the edges "
            "allow, fewer only when the board is smaller. Empty for a user without a score."
        )
    )
    def around(self, user_id: UserId, radius: Radius = 5) -> list[LeaderboardEntry]:
        page = self.beside[around_view(user_id, radius)]
        key = self.board.key
        return [LeaderboardEntry.of(entry, key) for entry in page.entries]

    @strawberry.field(
        description=(
            "The board page by page, however deep. Cursors stand for a place in the order, not for a number: what "
            "moves meanwhile neither repeats nor skips the others. Going back gives the very page that was left."
        )
    )
    def standings(
        self, first: First = 50, after: AfterCursor = None, last: Last = None, before: BeforeCursor = None
    ) -> StandingConnection:
        view = standings_view(self.board, first, after, last, before)
        return StandingConnection.of(self.beside[view], self.category.sort_order)

    @strawberry.field(
        description="Some users ranked among themselves and on the whole board. Users without a score are left out."
    )
    def friends(self, user_ids: UserIds) -> list[FriendStanding]:
        return FriendStanding.all_of(self.beside[friends_view(user_ids)])

    @staticmethod
    def of(page: domain.Page, category: catalogue.Category, stretch: str) -> Leaderboard:
        """`stretch` names the part of the board that the page is."""
        board, key = page.board, page.board.key
        return Leaderboard(
            board=board,
            beside=dict(page.beside),
            id=strawberry.ID(f"{key}?{stretch}"),
            category=Category.of(category),
            period=board.window.period,
            starts_at=board.window.starts_at,
            ends_at=board.window.ends_at,
            entries=[LeaderboardEntry.of(entry, key) for entry in page.entries],
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
