"""The sizes of lists, by the arguments of the fields around them."""

from __future__ import annotations

SIZE_ARGUMENTS = ("limit", "first", "last", "radius", "userIds", "ids")
"""The arguments that say how long a list may be: by their value, or by their own length."""


def list_size(argument: str, size: int, max_size: int) -> int:
    """Return how many elements a list has whose size an argument states, from 1 to `max_size`."""
    # A radius reaches to both sides of its centre.
    reach = 2 * size + 1 if argument == "radius" else size
    return min(max(reach, 1), max_size)
