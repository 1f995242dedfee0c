"""Feeds: the head of one board in memory, with its subscribers."""
