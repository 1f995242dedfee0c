"""SQL statements about events and their delivery."""
