"""What the result of an execution rests on."""

from __future__ import annotations

from collections.abc import Callable

Dependency = Callable[[], object]
"""Tells what there is now: one and the same object for as long as nothing changed, None when that is not known."""


class Dependencies:
    """Collects, during one execution, what its result was made from; afterwards tells whether that is still so.

    Every root field adds its grounds once. `complete` makes sure of it: of a field that added nothing, anything may
    have changed.
    """

    __slots__ = ("_fields", "_seen")

    def __init__(self) -> None:
        self._seen: list[tuple[Dependency, object]] = []
        self._fields = 0

    def add(self, *dependencies: Dependency) -> None:
        """One root field rests on what each of `dependencies` tells at this moment.

        To be called before anything is read, and in the same turn of the event loop in which it is read.
        """
        self._fields += 1
        self._seen += [(present, present()) for present in dependencies]

    def complete(self, fields: int) -> bool:
        """Whether all of so many root fields have added their grounds, and all of those are known."""
        return self._fields == fields and all(seen is not None for _, seen in self._seen)

    def are_current(self) -> bool:
        """Whether all that was seen is still the present. Only for grounds that are complete."""
        return all(present() is seen for present, seen in self._seen)
