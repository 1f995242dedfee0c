"""Entries of a board."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry
from strawberry.scalars import JSON

from app.domain.boards import board as domain
from app.domain.scores import ScoreFormat
from app.schema import lookups
from app.schema.players.users import User
from app.schema.scalars import Score


@strawberry.type(description="One entry of a leaderboard: a user with rank and score.")
class LeaderboardEntry:
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

    board: strawberry.Private[domain.Board]
    score_format: strawberry.Private[ScoreFormat]
    user_id: strawberry.Private[UUID]

    @strawberry.field(description="The score as text, in the `scoreFormat` of the category: for example `1:23.250`.")
    def formatted_score(self) -> str:
        """Format the score, which few operations select."""
        return self.score_format.text(self.score)

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
            self.board, self.user_id, self.reached_at
        )
        return metadata

    @staticmethod
    def of(entry: domain.Entry, board: domain.Board, score_format: ScoreFormat) -> LeaderboardEntry:
        """Convert an entry of a board."""
        user = User.of(entry.user)
        return LeaderboardEntry(
            board=board,
            user_id=entry.user.id,
            id=strawberry.ID(f"{board.key}/{user.id}"),
            rank=entry.rank,
            competition_rank=entry.competition_rank,
            tied_with=entry.tied_with,
            score=entry.score,
            reached_at=entry.reached_at,
            user=user,
            score_format=score_format,
        )
