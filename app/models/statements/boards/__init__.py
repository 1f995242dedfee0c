"""The SQL statements that read boards and close windows."""
