"""How boards are read, and how windows are closed."""
