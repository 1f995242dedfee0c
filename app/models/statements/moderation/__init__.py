"""SQL statements about flags."""
