"""The statements that read the whole catalogue."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards.periods import Period
from app.domain.catalogue.catalogue import Action, ActionKind, Catalogue, Category, Operator, SortOrder
from app.models.tables.catalogue import Action as ActionRow
from app.models.tables.catalogue import Category as CategoryRow

SELECT_CATEGORIES = select(CategoryRow.__table__).order_by(CategoryRow.id)
SELECT_ACTIONS = select(ActionRow.__table__).order_by(ActionRow.id)


async def read_catalogue(connection: AsyncConnection, max_score_cap: int) -> Catalogue:
    """Return the catalogue; no category has a score cap above `max_score_cap`."""
    categories = (await connection.execute(SELECT_CATEGORIES)).all()
    actions = (await connection.execute(SELECT_ACTIONS)).all()
    return Catalogue(
        [
            Category(
                id=row.id,
                name=row.name,
                description=row.description,
                score_cap=min(row.score_cap or max_score_cap, max_score_cap),
                sort_order=SortOrder(row.sort_order),
                operator=Operator(row.operator),
                periods=frozenset(Period(period) for period in row.periods) | {Period.ALL_TIME},
                enabled=row.enabled,
                entry_metadata=row.entry_metadata,
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
