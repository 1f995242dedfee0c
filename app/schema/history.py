"""A player's past."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import strawberry

from app.domain import catalogue, users
from app.domain import score_history as domain
from app.schema.catalogue import Category
from app.schema.enums import Period, Step, Trend
from app.schema.users import User


@strawberry.type(description="One stretch of time: the all-time score at its end, and how it changed within.")
class ScorePoint:
    starts_at: datetime = strawberry.field(description="The first instant of the stretch, in UTC.")
    score: int = strawberry.field(description="The all-time score at its end, or now when it is not over.")
    gained: int = strawberry.field(description="What the score gained within; negative after a correction.")


@strawberry.type(description="A player's all-time score in a category over time.")
class ScoreHistory:
    user: User = strawberry.field(description="Whose score.")
    category: Category = strawberry.field(description="What the score is for.")
    step: Step = strawberry.field(description="How far apart the points are.")
    points: list[ScorePoint] = strawberry.field(
        description="One per step, without gaps, the oldest first; none that begins in the future. At most 750.",
        metadata={"longest": domain.MAX_POINTS},
    )
    trend: Trend = strawberry.field(description="Where the score went from the beginning to the end.")
    average_daily_gain: float = strawberry.field(description="What was gained per day of 24 hours.")

    @staticmethod
    def of(
        history: domain.ScoreHistory, profile: users.Profile, category: catalogue.Category, now: datetime
    ) -> ScoreHistory:
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


@strawberry.type(description="A player's place in a window that is over, as it was when the window was closed.")
class RankPoint:
    starts_at: datetime = strawberry.field(description="The first instant of the window.")
    ends_at: datetime = strawberry.field(description="The first instant after the window.")
    rank: int = strawberry.field(description="1-based position in board order.")
    competition_rank: int = strawberry.field(description="1 + the users with a better score.")
    score: int = strawberry.field(description="The score in the window.")
    total_users: int = strawberry.field(description="How many users the board ranked.")


@strawberry.type(description="A player's places in the windows of a period that are over.")
class RankHistory:
    user: User = strawberry.field(description="Whose places.")
    category: Category = strawberry.field(description="What was played.")
    period: Period = strawberry.field(description="Whose windows.")
    points: list[RankPoint] = strawberry.field(
        description="The oldest first. A window in which the player had no score has no point.",
        metadata={"longest": domain.MAX_POINTS},
    )
    best_rank: int | None = strawberry.field(description="The best `rank` among the points.")

    @staticmethod
    def of(
        points: Sequence[domain.RankPoint], profile: users.Profile, category: catalogue.Category, period: Period
    ) -> RankHistory:
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
