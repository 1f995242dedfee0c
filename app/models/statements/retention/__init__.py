"""SQL statements that delete what has expired."""
