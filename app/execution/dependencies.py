"""The dependencies of the result of an execution."""

from __future__ import annotations

from collections.abc import Callable

Dependency = Callable[[], object]
"""Returns the present version object of a state: identical (`is`) while the state is unchanged, None if unknown."""


class Dependencies:
    """The version objects that the result of one execution was made from.

    Every root field adds its dependencies once. `is_complete` checks that: a field that added nothing may depend on
    anything.
    """

    __slots__ = ("_fields", "_versions")

    def __init__(self) -> None:
        self._versions: list[tuple[Dependency, object]] = []
        self._fields = 0

    def add(self, *dependencies: Dependency) -> None:
        """Add the present versions of the dependencies of one root field.

        Call it before reading the state, in the same turn of the event loop.
        """
        self._fields += 1
        self._versions += [(dependency, dependency()) for dependency in dependencies]

    def is_complete(self, fields: int) -> bool:
        """Return whether all root fields have added their dependencies, and all versions are known."""
        return self._fields == fields and all(version is not None for _, version in self._versions)

    def are_current(self) -> bool:
        """Return whether no dependency has changed since. Only for complete dependencies."""
        return all(dependency() is version for dependency, version in self._versions)
