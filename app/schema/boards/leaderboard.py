"""Boards, and the standings of users on them."""

from __future__ import annotations

from datetime import datetime

import strawberry

from app.domain.boards import board as domain
from app.domain.boards.board_part import BoardPart
from app.domain.boards.board_query import BoardQuery
from app.schema import lookups
from app.schema.arguments import (
    DEFAULT_STANDINGS,
    AfterCursor,
    AtRank,
    AtScore,
    BeforeCursor,
    FirstOfStandings,
    Last,
    OptionalUserId,
    Radius,
    UserIds,
)
from app.schema.boards.entries import LeaderboardEntry, PageOfEntries, ReadMovement
from app.schema.boards.standings import FriendStanding, StandingConnection
from app.schema.catalogue.catalogue import Category
from app.schema.enums import Period, Source
from app.schema.nodes import Node, node_id
from app.schema.players.users import User
from app.schema.scalars import Score


@strawberry.type(
    description="A leaderboard at one version. All ranks, scores and totals in it are consistent with each other."
)
class Leaderboard(Node):
    id: strawberry.ID = strawberry.field(
        description="A stable identifier of this part of the board: category, period, window, and the range of entries."
    )
    category: Category = strawberry.field(description="The category whose scores are ranked.")
    period: Period = strawberry.field(description="The period that the board covers.")
    starts_at: datetime | None = strawberry.field(
        description="Start of the board's window, inclusive. Null for ALL_TIME."
    )
    ends_at: datetime | None = strawberry.field(description="End of the board's window, exclusive. Null for ALL_TIME.")
    entries: list[LeaderboardEntry] = strawberry.field(
        description="The requested entries in order of rank, best first."
    )
    total_users: int = strawberry.field(description="How many users are ranked on the whole board.")
    epoch: strawberry.ID = strawberry.field(
        description=(
            "Identifies a sequence of versions. A new epoch begins with each window, and when the board is rebuilt; "
            "versions are comparable only within the same epoch."
        )
    )
    version: int = strawberry.field(
        description=(
            "A number that increases with every change of the board within an `epoch`. Discard data with a lower "
            "version than the one you already show."
        )
    )
    as_of: datetime = strawberry.field(description="When this board last changed, as far as the data source knows.")
    source: Source = strawberry.field(
        description="The data store that answered. The order of entries does not depend on it."
    )
    stale: bool = strawberry.field(
        description="True if the data may be out of date because a data store is unavailable: newer scores may exist."
    )

    query: strawberry.Private[BoardQuery]
    board: strawberry.Private[domain.Board]
    extra_views: strawberry.Private[domain.ExtraViews]
    """The pages of the fields with arguments, which were read together with the entries."""
    read_movement: strawberry.Private[ReadMovement]

    @strawberry.field(
        description=(
            "The entry of a user, or of the caller, with the entries above and below it: `2 * radius + 1` entries, "
            "with the user as close to the middle as the ends of the board allow. Fewer only if the board is "
            "smaller. Empty if the user has no score on this board, and without `userId` for an anonymous caller."
        ),
        metadata={"viewer": "userId", "lookups": lookups.around},
    )
    def around(
        self, info: strawberry.Info, user_id: OptionalUserId = None, radius: Radius = 5
    ) -> list[LeaderboardEntry]:
        """Show the page that `query` has for this field."""
        return self._entries(info)

    @strawberry.field(
        description=(
            "The caller's own entry. Null for an anonymous caller, and for one who has no score on this board."
        ),
        metadata={"viewer": True, "lookups": lookups.own_entry},
    )
    def me(self, info: strawberry.Info) -> LeaderboardEntry | None:
        """Show the page that `query` has for this field."""
        return next(iter(self._entries(info)), None)

    @strawberry.field(
        description=(
            "The whole board, page by page, in both directions. A cursor marks a position in the order, not an "
            "offset: entries that do not move are neither repeated nor skipped when others change rank between "
            "two requests. `atRank` and `atScore` jump to a place."
        ),
        metadata={"lookups": lookups.standings},
    )
    def standings(
        self,
        info: strawberry.Info,
        first: FirstOfStandings = DEFAULT_STANDINGS,
        after: AfterCursor = None,
        last: Last = None,
        before: BeforeCursor = None,
        at_rank: AtRank = None,
        at_score: AtScore = None,
    ) -> StandingConnection:
        """Show the page that `query` has for this field."""
        return StandingConnection.of(self._nested_page(info), self.query.category, self.read_movement)

    @strawberry.field(
        description=(
            "A comparison of the given users: their rank among each other and on the whole board, best first. "
            "Users without a score on this board are left out."
        ),
        metadata={"lookups": lookups.selection},
    )
    def friends(self, info: strawberry.Info, user_ids: UserIds) -> list[FriendStanding]:
        """Show the page that `query` has for this field."""
        return FriendStanding.all_of(self._nested_page(info), self.query.category, self.read_movement)

    def _entries(self, info: strawberry.Info) -> list[LeaderboardEntry]:
        page = self._nested_page(info)
        return PageOfEntries(page, self.query.category.score_format, self.read_movement).entries

    def _nested_page(self, info: strawberry.Info) -> domain.Page:
        """Return the page of the field that is being resolved. Its arguments were parsed when `query` was made."""
        path = info.path
        assert path.prev is not None
        return self.query.nested_page((str(path.prev.key), str(path.key)), self.board, self.extra_views)

    @staticmethod
    def of(page: domain.Page, query: BoardQuery, read_movement: ReadMovement) -> Leaderboard:
        """Convert the page that answers `query`; `read_movement` reads the movement of its entries."""
        board, key, score_format = page.board, page.board.key, query.category.score_format
        return Leaderboard(
            query=query,
            board=board,
            extra_views=page.extra_views,
            read_movement=read_movement,
            id=node_id("Leaderboard", BoardPart(key, query.view)),
            category=Category.of(query.category),
            period=board.window.period,
            starts_at=board.window.starts_at,
            ends_at=board.window.ends_at,
            entries=PageOfEntries(page, score_format, read_movement).entries,
            total_users=page.total_users,
            epoch=strawberry.ID(page.version.epoch),
            version=page.version.number,
            as_of=page.as_of,
            source=page.source,
            stale=page.stale,
        )


@strawberry.type(
    description="A user's position on a board. If the user has no score on it, the ranks are null and `score` is 0."
)
class UserRank(Node):
    id: strawberry.ID = strawberry.field(description="A stable identifier of this user's position on this board.")
    user: User = strawberry.field(description="The user whose position this is.")
    score: Score = strawberry.field(description="The user's score on this board; 0 if there is none.")
    rank: int | None = strawberry.field(
        description=(
            "The position on the board, starting at 1. Never shared: ties are broken by who reached the score "
            "first. Null if the user has no score."
        )
    )
    competition_rank: int | None = strawberry.field(
        description=(
            "1 plus the number of users with a better score, so users with equal scores share it. Null if the "
            "user has no score."
        )
    )
    tied_with: int = strawberry.field(description="How many other users have exactly the same score.")
    users_above: int | None = strawberry.field(
        description="How many users are ranked better: `rank - 1`. Null if the user has no score."
    )
    users_below: int | None = strawberry.field(
        description="How many users are ranked worse: `totalUsers - rank`. Null if the user has no score."
    )
    total_users: int = strawberry.field(description="How many users are ranked on the whole board.")
    percentile: float | None = strawberry.field(
        description=(
            "The percentage of all ranked users who are ranked worse, from 0 to just under 100. Null if the user "
            "has no score."
        )
    )
    updated_at: datetime | None = strawberry.field(
        description="When the user reached the current score. Null if the user has no score."
    )

    @staticmethod
    def of(standing: domain.UserStanding, user: User) -> UserRank:
        """Convert a standing."""
        return UserRank(
            id=node_id("UserRank", f"{standing.board.key}/{standing.user_id}"),
            user=user,
            score=standing.score,
            rank=standing.rank,
            competition_rank=standing.competition_rank,
            tied_with=standing.tied_with,
            users_above=standing.above,
            users_below=standing.below,
            total_users=standing.total_users,
            percentile=standing.percentile,
            updated_at=standing.reached_at,
        )
