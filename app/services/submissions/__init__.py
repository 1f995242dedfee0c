"""Submissions: the ways in which players and game servers request points."""
