"""The part of the service's schema that is measured."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

import jwt
import strawberry
from broadcaster import Broadcast
from starlette.requests import HTTPConnection

from bench.peers.idiomatic.scores import CHANNEL, RefusedScore, Scores
from bench.peers.idiomatic.tables import utc_now
from bench.workloads.documents import POINTS


@dataclass
class Services:
    """What resolvers work with."""

    scores: Scores
    broadcast: Broadcast
    secret: str
    audience: str


@strawberry.enum
class Period(StrEnum):
    """The GraphQL type `Period`."""

    ALL_TIME = "ALL_TIME"


@strawberry.enum
class UpdateKind(StrEnum):
    """The GraphQL type `UpdateKind`."""

    SNAPSHOT = "SNAPSHOT"
    UPDATE = "UPDATE"


@strawberry.type
class User:
    """The GraphQL type `User`."""

    id: strawberry.ID
    username: str


@strawberry.type
class LeaderboardEntry:
    """The GraphQL type `LeaderboardEntry`."""

    id: strawberry.ID
    rank: int
    score: int
    user: User


@strawberry.type
class Leaderboard:
    """The GraphQL type `Leaderboard`."""

    id: strawberry.ID
    total_users: int
    entries: list[LeaderboardEntry]

    @staticmethod
    def of(board: dict[str, Any]) -> Leaderboard:
        """Convert from the rows of the store."""
        return Leaderboard(
            id=strawberry.ID("global"),
            total_users=board["total"],
            entries=[
                LeaderboardEntry(
                    id=strawberry.ID(f"global/{entry['id']}"),
                    rank=entry["rank"],
                    score=entry["score"],
                    user=User(id=strawberry.ID(entry["id"]), username=entry["username"]),
                )
                for entry in board["entries"]
            ],
        )


@strawberry.type
class LeaderboardUpdate:
    """The GraphQL type `LeaderboardUpdate`."""

    kind: UpdateKind
    leaderboard: Leaderboard


@strawberry.type
class UserRank:
    """The GraphQL type `UserRank`."""

    id: strawberry.ID
    rank: int | None
    score: int
    total_users: int
    user: User


@strawberry.interface
class UserError:
    """The GraphQL type `UserError`."""

    code: str
    message: str


@strawberry.type
class InvalidActionToken(UserError):
    """The GraphQL type `InvalidActionToken`."""


@strawberry.type
class ActionTokenIssued:
    """The GraphQL type `ActionTokenIssued`."""

    action_token: str
    score_value: int
    expires_at: datetime


@strawberry.type
class ScoreAccepted:
    """The GraphQL type `ScoreAccepted`."""

    transaction_id: strawberry.ID
    user: User
    previous_score: int
    new_score: int
    score_delta: int
    previous_rank: int | None
    current_rank: int | None


@strawberry.input
class IssueActionTokenInput:
    """The GraphQL type `IssueActionTokenInput`."""

    action_type: str


@strawberry.input
class SubmitScoreInput:
    """The GraphQL type `SubmitScoreInput`."""

    action_token: str


IssueActionTokenResult = ActionTokenIssued | InvalidActionToken
SubmitScoreResult = ScoreAccepted | InvalidActionToken


def _services(info: strawberry.Info) -> Services:
    connection: HTTPConnection = info.context["request"]
    services: Services = connection.app.state.services
    return services


def _caller(info: strawberry.Info) -> UUID:
    services = _services(info)
    token = info.context["request"].headers["authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, services.secret, algorithms=["HS256"], audience=services.audience)
    return UUID(claims["sub"])


@strawberry.type
class Query:
    """The queries."""

    @strawberry.field
    async def leaderboard(
        self, info: strawberry.Info, category: str = "global", period: Period = Period.ALL_TIME, limit: int = 10
    ) -> Leaderboard:
        """Resolve `leaderboard`."""
        _caller(info)
        return Leaderboard.of(await _services(info).scores.top(limit))

    @strawberry.field
    async def user_rank(self, info: strawberry.Info, user_id: strawberry.ID) -> UserRank:
        """Resolve `user_rank`."""
        _caller(info)
        rank, score, total, name = await _services(info).scores.standing(UUID(user_id))
        return UserRank(
            id=strawberry.ID(f"global/{user_id}"),
            rank=rank,
            score=score,
            total_users=total,
            user=User(id=user_id, username=name),
        )


@strawberry.type
class Mutation:
    """The mutations."""

    @strawberry.mutation
    async def issue_action_token(self, info: strawberry.Info, input: IssueActionTokenInput) -> IssueActionTokenResult:
        """Resolve `issue_action_token`."""
        token = await _services(info).scores.issue(_caller(info), POINTS)
        return ActionTokenIssued(action_token=token, score_value=POINTS, expires_at=utc_now() + timedelta(seconds=300))

    @strawberry.mutation
    async def submit_score(self, info: strawberry.Info, input: SubmitScoreInput) -> SubmitScoreResult:
        """Resolve `submit_score`."""
        try:
            accepted = await _services(info).scores.submit(_caller(info), input.action_token)
        except RefusedScore:
            return InvalidActionToken(code="INVALID_ACTION_TOKEN", message="The action token is not valid.")
        return ScoreAccepted(
            transaction_id=strawberry.ID(str(accepted.transaction_id)),
            user=User(id=strawberry.ID(str(accepted.user_id)), username=""),
            previous_score=accepted.before,
            new_score=accepted.after,
            score_delta=accepted.after - accepted.before,
            previous_rank=accepted.rank_before,
            current_rank=accepted.rank_after,
        )


@strawberry.type
class Subscription:
    """The subscriptions."""

    @strawberry.subscription
    async def leaderboard_updates(
        self, info: strawberry.Info, limit: int = 10
    ) -> AsyncGenerator[LeaderboardUpdate, None]:
        """Subscribe to `leaderboard_updates`."""
        services = _services(info)
        async with services.broadcast.subscribe(CHANNEL) as subscriber:
            yield LeaderboardUpdate(
                kind=UpdateKind.SNAPSHOT, leaderboard=Leaderboard.of(await services.scores.top(limit))
            )
            async for event in cast(Any, subscriber):
                yield LeaderboardUpdate(kind=UpdateKind.UPDATE, leaderboard=Leaderboard.of(json.loads(event.message)))


def build_schema() -> strawberry.Schema:
    """Return the schema, with Strawberry's defaults."""
    return strawberry.Schema(Query, Mutation, Subscription)
