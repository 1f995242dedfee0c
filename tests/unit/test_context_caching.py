"""What a resolver reads is cached only if its dependencies are still the ones that were seen."""

from __future__ import annotations

from typing import Any, cast

from app.context import Context
from app.execution import Dependencies
from app.services.cacheable import Cacheable


class State:
    """A state whose object a test replaces."""

    def __init__(self) -> None:
        self.current: object | None = object()

    def __call__(self) -> object | None:
        return self.current


def recorded(*results: Cacheable[int]) -> Dependencies:
    dependencies = Dependencies()
    context = Context(cast(Any, None), dependencies=dependencies)
    for result in results:
        context.cached(result)
    return dependencies


def test_a_value_is_cached_until_a_dependency_changes() -> None:
    state = State()
    dependencies = recorded(Cacheable(1, ((state, state.current),)))
    assert dependencies.is_complete(1)
    assert dependencies.are_current()
    state.current = object()
    assert not dependencies.are_current()


def test_a_value_whose_dependency_changed_while_it_was_read_is_not_cached() -> None:
    state = State()
    assert not recorded(Cacheable(1, ((state, object()),))).is_complete(1)


def test_a_value_with_an_unknown_dependency_is_not_cached() -> None:
    state = State()
    assert not recorded(Cacheable(1, ((state, None),))).is_complete(1)


def test_the_value_is_returned_without_a_cache_too() -> None:
    assert Context(cast(Any, None)).cached(Cacheable(7, ())) == 7
