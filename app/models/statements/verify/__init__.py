"""SQL statements that check the invariants of the data."""
