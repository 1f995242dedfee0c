"""Scores and ranks over time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from app.domain import users
from app.domain.catalogue import catalogue
from app.domain.players import score_history as domain
from app.schema.catalogue.catalogue import Category
from app.schema.enums import Period, Step, Trend
from app.schema.players.users import User
from app.schema.scalars import Score


@strawberry.type(
    description="One interval of a score history: the all-time score at its end, and the change within it."
)
class ScorePoint:
    starts_at: datetime = strawberry.field(description="Start of the interval, in UTC.")
    score: Score = strawberry.field(
        description="The all-time score at the end of the interval, or the current one if the interval has not ended."
    )
    gained: Score = strawberry.field(
        description="The change of the score within the interval. Negative if points were taken back."
    )


@strawberry.type(description="A user's all-time score in a category over time, for charts.")
class ScoreHistory:
    user: User = strawberry.field(description="The user whose score this is.")
    category: Category = strawberry.field(description="The category of the score.")
    step: Step = strawberry.field(description="The length of the interval between two points.")
    points: list[ScorePoint] = strawberry.field(
        description=(
            "One point per interval, oldest first, without gaps, at most 750. Intervals in the future are left out."
        ),
        metadata={"longest": domain.MAX_POINTS},
    )
    trend: Trend = strawberry.field(
        description="Whether the score rose, stayed equal or fell over the whole time range."
    )
    average_daily_gain: float = strawberry.field(
        description="The average change of the score per 24 hours over the time range, up to now."
    )

    @staticmethod
    def of(
        history: domain.ScoreHistory, profile: users.Profile, category: catalogue.Category, now: datetime
    ) -> ScoreHistory:
        """Convert the history of a user, as of `now`."""
        return ScoreHistory(
            user=User.of(profile),
            category=Category.of(category),
            step=history.buckets.step,
            points=[
                ScorePoint(starts_at=point.starts_at, score=point.score, gained=point.gained)
                for point in history.points
            ],
            trend=history.trend,
            average_daily_gain=history.average_daily_gain(now),
        )


@strawberry.type(description="A user's final result in a past window, recorded when the window was closed.")
class RankPoint:
    starts_at: datetime = strawberry.field(description="Start of the window, inclusive.")
    ends_at: datetime = strawberry.field(description="End of the window, exclusive.")
    rank: int = strawberry.field(description="The final position on the board, starting at 1. Never shared.")
    competition_rank: int = strawberry.field(
        description="1 plus the number of users with a better score, so users with equal scores share it."
    )
    score: Score = strawberry.field(description="The user's score in the window.")
    total_users: int = strawberry.field(description="How many users were ranked on the board.")


@strawberry.type(description="A user's final ranks in the past windows of a period, for charts.")
class RankHistory:
    user: User = strawberry.field(description="The user whose ranks these are.")
    category: Category = strawberry.field(description="The category of the boards.")
    period: Period = strawberry.field(description="The period of the boards.")
    points: list[RankPoint] = strawberry.field(
        description=(
            "One point per window, oldest first, at most 750. Windows in which the user had no score are left out."
        ),
        metadata={"longest": domain.MAX_POINTS},
    )
    best_rank: int | None = strawberry.field(description="The lowest `rank` of all points. Null if there are none.")

    @staticmethod
    def of(
        points: Sequence[domain.RankPoint], profile: users.Profile, category: catalogue.Category, period: Period
    ) -> RankHistory:
        """Convert the rank points of a user."""
        return RankHistory(
            user=User.of(profile),
            category=Category.of(category),
            period=period,
            points=[
                RankPoint(
                    starts_at=point.starts_at,
                    ends_at=point.ends_at,
                    rank=point.rank,
                    competition_rank=point.competition_rank,
                    score=point.score,
                    total_users=point.total_users,
                )
                for point in points
            ],
            best_rank=min((point.rank for point in points), default=None),
        )
