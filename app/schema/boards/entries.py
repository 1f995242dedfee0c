"""Entries of a board."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from app.domain.boards import board as domain
from app.domain.scores import ScoreFormat
from app.schema import lookups
from app.schema.enums import Since
from app.schema.nodes import Node, node_id
from app.schema.players.users import User
from app.schema.scalars import Score

ReadMovement = Callable[[domain.Board, Since, UUID, int, Sequence[UUID]], Awaitable[int | None]]
"""Returns the movement of one user; see `PastRanks.movement`."""

SinceOf = Annotated[Since, strawberry.argument(description="The end of which day, week or month to compare with.")]


class PageOfEntries:
    """What the entries of one page have in common."""

    __slots__ = ("_page", "_read_movement", "board", "score_format")

    def __init__(self, page: domain.Page, score_format: ScoreFormat, read_movement: ReadMovement) -> None:
        self.board = page.board
        self.score_format = score_format
        self._page = page
        self._read_movement = read_movement

    @property
    def entries(self) -> list[LeaderboardEntry]:
        """The entries, in order of rank."""
        return [LeaderboardEntry.of(entry, self) for entry in self._page.entries]

    async def movement(self, since: Since, user_id: str, rank: int) -> int | None:
        """Return how many places a user of the page has gained."""
        users = [entry.user.id for entry in self._page.entries]
        return await self._read_movement(self._page.board, since, UUID(user_id), rank, users)


@strawberry.type(description="One entry of a leaderboard: a user with rank and score.")
class LeaderboardEntry(Node):
    id: strawberry.ID = strawberry.field(description="A stable identifier of this user's entry on this board.")
    rank: int = strawberry.field(
        description=(
            "The position on the board, starting at 1. Never shared: equal scores are ordered by who reached the "
            "score first, then by user id."
        )
    )
    competition_rank: int = strawberry.field(
        description=(
            "1 plus the number of users with a better score, so users with equal scores share it. Use it for "
            'medals and for "tied" labels.'
        )
    )
    tied_with: int = strawberry.field(description="How many other users have exactly the same score.")
    score: Score = strawberry.field(description="The user's score on this board.")
    reached_at: datetime = strawberry.field(description="When the user reached this score.")
    user: User = strawberry.field(description="The user at this position.")

    page: strawberry.Private[PageOfEntries]

    @strawberry.field(description="The score as text, in the `scoreFormat` of the category: for example `1:23.250`.")
    def formatted_score(self) -> str:
        """Format the score, which few operations select."""
        return self.page.score_format.text(self.score)

    @strawberry.field(
        description=(
            "What the game attached to the completion that set this score, for example the link to a replay. It comes "
            "from the game's back end or verifier; treat it as untrusted data all the same. Null if there is none, if "
            "the category has no `entryMetadata`, or while it cannot be read."
        ),
        metadata={"lookups": lookups.entry, "per_element": True},
    )
    async def metadata(self, info: strawberry.Info) -> JSON | None:
        """Read the metadata, together with that of the other entries."""
        metadata: JSON | None = await info.context.services.entry_metadata.get(
            self.page.board, UUID(self.user.id), self.reached_at
        )
        return metadata

    @strawberry.field(
        description=(
            "How many places the user has gained since the end of the previous day, week or month, or lost if "
            "negative. On an ALL_TIME board it compares with the same board then; on a DAILY, WEEKLY or MONTHLY "
            "board with the final ranks of the window before, if `since` names its period, and is null otherwise. "
            "Null as well if the user was not ranked then, or if it is not known at the moment."
        ),
        metadata={"lookups": lookups.movement},
    )
    async def movement(self, since: SinceOf = Since.PREVIOUS_DAY) -> int | None:
        """Compare with the past rank, which is read for all entries of the page together."""
        return await self.page.movement(since, self.user.id, self.rank)

    @staticmethod
    def of(entry: domain.Entry, page: PageOfEntries) -> LeaderboardEntry:
        """Convert an entry of a page."""
        user = User.of(entry.user)
        return LeaderboardEntry(
            id=node_id("LeaderboardEntry", f"{page.board.key}/{user.id}"),
            rank=entry.rank,
            competition_rank=entry.competition_rank,
            tied_with=entry.tied_with,
            score=entry.score,
            reached_at=entry.reached_at,
            user=user,
            page=page,
        )
