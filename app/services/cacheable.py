"""Values with the state that they were made from, so that responses can be cached until the state changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

Dependency = Callable[[], object]
"""Returns an object that is replaced whenever the state changes, or None while the state is not known."""


class Cacheable(NamedTuple, Generic[T]):
    """A value that may be cached for as long as its dependencies return the same objects.

    Attributes:
        value: The value.
        dependencies: Each dependency with the object that it returned when the value was read. The value must not be
            cached when one of the objects is None.
    """

    value: T
    dependencies: tuple[tuple[Dependency, object], ...]
