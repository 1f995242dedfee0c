"""The statements that read the whole catalogue."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards.periods import Period
from app.domain.catalogue.catalogue import Action, ActionKind, Catalogue, Category, Operator, SortOrder
from app.domain.scores import ScoreFormat
from app.models.tables.catalogue import Action as ActionRow
from app.models.tables.catalogue import Category as CategoryRow

SELECT_CATEGORIES = select(CategoryRow.__table__).order_by(CategoryRow.id)
SELECT_ACTIONS = select(ActionRow.__table__).order_by(ActionRow.id)


async def read_catalogue(connection: AsyncConnection, default_score_cap: int) -> Catalogue:
    """Return the catalogue. Categories without a score cap of their own have the default."""
    categories = (await connection.execute(SELECT_CATEGORIES)).all()
    actions = (await connection.execute(SELECT_ACTIONS)).all()
    return Catalogue(
        [
            Category(
                id=row.id,
                name=row.name,
                description=row.description,
                score_cap=row.score_cap or default_score_cap,
                sort_order=SortOrder(row.sort_order),
                operator=Operator(row.operator),
                periods=frozenset(Period(period) for period in row.periods) | {Period.ALL_TIME},
                enabled=row.enabled,
                score_format=ScoreFormat.of_document(row.score_format),
                entry_metadata=row.entry_metadata,
                shards=row.shards,
            )
            for row in categories
        ],
        [
            Action(
                id=row.id,
                name=row.name,
                description=row.description,
                category=row.category_id,
                points=row.points,
                difficulties=row.difficulties,
                repeatable=row.repeatable,
                min_duration=timedelta(seconds=row.min_duration),
                cooldown=timedelta(seconds=row.cooldown),
                daily_limit=row.daily_limit,
                enabled=row.enabled,
                kind=ActionKind(row.kind),
                min_value=row.min_value or 1,
                max_value=row.max_value,
            )
            for row in actions
        ],
    )
