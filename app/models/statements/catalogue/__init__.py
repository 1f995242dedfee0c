"""SQL statements about categories, actions and the record of their changes."""
