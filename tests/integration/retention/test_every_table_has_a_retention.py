"""Every table is on the page about data growth, with how long its rows are kept."""

import re
from pathlib import Path

from app.models.statements.ledger.partitions import Month
from app.wiring import App
from tests.support.boards.ledgers import rows

PAGE = Path(__file__).resolve().parents[3] / "docs" / "operations" / "data-growth.md"
TABLES = """
SELECT c.relname AS name FROM pg_class c
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace ORDER BY 1
"""


def documented() -> list[str]:
    """Return the tables in the first column of the section on tables."""
    section = PAGE.read_text().partition("## Tables")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    assert all(line.count("|") == 4 and line.split("|")[3].strip() for line in lines)
    return sorted(name for line in lines for name in re.findall(r"`(\w+)`", line.split("|")[1]))


async def test_every_table_is_documented_with_its_retention(app: App):
    assert documented() == [row.name for row in await rows(app, TABLES)]


async def test_every_partition_of_the_ledger_has_all_of_its_indexes(app: App):
    (parent,) = await rows(
        app, "SELECT count(*) AS indexes FROM pg_index WHERE indrelid = 'score_transactions'::regclass"
    )
    await app.partitions.ensure([Month(2031, 5)])
    partitions = await rows(
        app,
        """
        SELECT inhrelid::regclass::text AS name,
               (SELECT count(*) FROM pg_index x WHERE x.indrelid = i.inhrelid) AS indexes
        FROM pg_inherits i WHERE inhparent = 'score_transactions'::regclass
        """,
    )
    assert "score_transactions_2031_05" in {row.name for row in partitions}
    assert {row.indexes for row in partitions} == {parent.indexes}
