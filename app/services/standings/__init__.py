"""The copies of all live boards in Redis: fast ranks, never the truth."""

from app.services.standings.standings import Cold, Ranks, Standings

__all__ = ["Cold", "Ranks", "Standings"]
