"""The catalogue: categories and their actions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, DateTime, ForeignKey, Integer, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.catalogue.catalogue import MAX_SHARDS
from app.domain.scores import MAX_SCORE
from app.models.tables.base import Base


class Category(Base):
    """A separate ranking with boards of its own."""

    __tablename__ = "categories"

    id: Mapped[str] = mapped_column(String(50), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(Text, server_default=text("''"))
    sort_order: Mapped[str] = mapped_column(String(10), server_default=text("'HIGH_FIRST'"))
    operator: Mapped[str] = mapped_column(String(10), server_default=text("'SUM'"))
    periods: Mapped[list[str]] = mapped_column(
        ARRAY(String(10)), server_default=text("'{ALL_TIME,DAILY,WEEKLY,MONTHLY}'::varchar[]")
    )
    enabled: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("now()"))
    score_cap: Mapped[int | None] = mapped_column(BigInteger, comment="NULL: the cap of the settings.")
    score_format: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("""'{"kind": "INTEGER", "unit": null, "digits": null}'::jsonb""")
    )
    entry_metadata: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    shards: Mapped[int] = mapped_column(Integer, server_default=text("1"), comment="Of its boards in Redis.")

    __table_args__ = (
        CheckConstraint("id ~ '^[a-z0-9][a-z0-9_-]*$'", name="id_is_a_slug"),
        CheckConstraint("sort_order IN ('HIGH_FIRST', 'LOW_FIRST')", name="sort_order_known"),
        CheckConstraint("operator IN ('SUM', 'BEST', 'LATEST')", name="operator_known"),
        CheckConstraint(f"score_cap BETWEEN 1 AND {MAX_SCORE}", name="score_cap_in_range"),
        CheckConstraint(f"shards BETWEEN 1 AND {MAX_SHARDS}", name="shards_in_range"),
    )


class Action(Base):
    """Something that players can complete, with its points or the range of its values. Clients never send either."""

    __tablename__ = "actions"

    id: Mapped[str] = mapped_column(String(50), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(Text, server_default=text("''"))
    category_id: Mapped[str] = mapped_column(ForeignKey("categories.id"), server_default=text("'global'"))
    difficulties: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'::jsonb"), comment="Name of the difficulty to its points."
    )
    repeatable: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    min_duration: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="Seconds.")
    cooldown: Mapped[int] = mapped_column(Integer, server_default=text("0"), comment="Seconds.")
    daily_limit: Mapped[int | None] = mapped_column(Integer, comment="Completions per user and UTC day; NULL: any.")
    enabled: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=text("now()"))
    points: Mapped[int | None] = mapped_column(
        BigInteger, comment="NULL: a difficulty must be given, or the value is stated."
    )
    kind: Mapped[str] = mapped_column(String(10), server_default=text("'FIXED'"))
    min_value: Mapped[int | None] = mapped_column(BigInteger, comment="The lowest value of a STATED action.")
    max_value: Mapped[int | None] = mapped_column(BigInteger, comment="The highest value of a STATED action.")

    __table_args__ = (
        CheckConstraint("id ~ '^[A-Za-z0-9][A-Za-z0-9_.-]*$'", name="id_is_a_word"),
        CheckConstraint("points >= 1", name="points_positive"),
        CheckConstraint("kind IN ('FIXED', 'STATED')", name="kind_known"),
        CheckConstraint("1 <= min_value AND min_value <= max_value", name="values_in_order"),
        CheckConstraint("min_duration >= 0 AND cooldown >= 0", name="durations_not_negative"),
        CheckConstraint("daily_limit >= 1", name="daily_limit_positive"),
    )
