"""SQL statements of exports, imports and bulk inserts."""
