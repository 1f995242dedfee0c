"""Clients of the public API: simulated players and a subscription to a board."""
