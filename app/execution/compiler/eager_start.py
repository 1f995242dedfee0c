"""Coroutines by hand: the first step at once, the rest as usual."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from functools import partial
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


@coroutine
def rest_of(stepped: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """Await a coroutine that was sent None once, and then yielded `waits_for`.

    Whatever comes instead of an answer, a cancellation above all, is thrown into the coroutine, as `await` would.
    """
    while True:
        step: partial[Any]
        try:
            step = partial(stepped.send, (yield waits_for))
        except GeneratorExit:
            stepped.close()
            raise
        except BaseException as error:
            step = partial(stepped.throw, error)
        try:
            waits_for = step()
        except StopIteration as done:
            value: T = done.value
            return value
