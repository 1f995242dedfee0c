"""Boards, standings and their live updates."""
