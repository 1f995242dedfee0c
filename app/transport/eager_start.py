"""Awaiting a coroutine whose first step has been run already."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from functools import partial
from types import coroutine
from typing import Any, TypeVar

T = TypeVar("T")


@coroutine
def finish_coroutine(started: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, Any, T]:
    """Await the rest of a coroutine that was sent None once, and then yielded `waits_for`.

    Exceptions that the event loop raises here, cancellations above all, are thrown into the coroutine, as `await` does.
    """
    while True:
        step: partial[Any]
        try:
            step = partial(started.send, (yield waits_for))
        except GeneratorExit:
            started.close()
            raise
        except BaseException as error:
            step = partial(started.throw, error)
        try:
            waits_for = step()
        except StopIteration as done:
            value: T = done.value
            return value
