"""Sends the service what attackers send, and counts what comes back. `python -m bench.attack` prints one table."""
