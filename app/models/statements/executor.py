"""What runs a statement: SQLAlchemy's connection, or one that knows less and costs less."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from sqlalchemy import TextClause


class Executor(Protocol):
    """Runs textual statements; rows know their columns by place and by name."""

    async def execute(self, statement: TextClause, parameters: Any, /) -> Iterable[Any]:
        """Return the rows of `statement`. Raises SQLAlchemy's exceptions."""
