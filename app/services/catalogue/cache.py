"""The catalogue as this process sees it: read from PostgreSQL, kept in memory, read again when told to."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.boards.periods import Period
from app.domain.catalogue.catalogue import Action, Catalogue, Category, Operator, SortOrder
from app.models import Action as ActionRow
from app.models import Category as CategoryRow
from app.stores.postgres import Database


class CatalogueService:
    """Holds the newest reading. `current` is never None after `refresh` has succeeded once."""

    def __init__(self, database: Database, default_cap: int) -> None:
        """`default_cap` is the score cap of categories that have none of their own."""
        self._database = database
        self._default_cap = default_cap
        self.current = Catalogue((), ())
        self._reading = asyncio.Lock()
        self.outdated = asyncio.Event()
        """Set by whoever hears of a change; whoever keeps the catalogue current waits for it."""

    async def refresh(self) -> Catalogue:
        """Read the catalogue anew. Raises ServiceUnavailable, and then keeps the old one."""
        async with self._reading:  # One at a time: an older reading never replaces a newer one.
            self.outdated.clear()
            async with self._database.connect() as connection:
                self.current = await self.read(connection)
        return self.current

    async def read(self, connection: AsyncConnection) -> Catalogue:
        """The catalogue as the transaction of `connection` sees it."""
        categories = (await connection.execute(select(CategoryRow.__table__).order_by(CategoryRow.id))).all()
        actions = (await connection.execute(select(ActionRow.__table__).order_by(ActionRow.id))).all()
        return Catalogue(
            [
                Category(
                    id=row.id,
                    name=row.name,
                    description=row.description,
                    score_cap=min(row.score_cap or self._default_cap, self._default_cap),
                    sort_order=SortOrder(row.sort_order),
                    operator=Operator(row.operator),
                    periods=frozenset(Period(period) for period in row.periods) | {Period.ALL_TIME},
                    enabled=row.enabled,
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
                )
                for row in actions
            ],
        )
