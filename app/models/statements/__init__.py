"""SQL statements and the functions that run them, one package per noun."""
