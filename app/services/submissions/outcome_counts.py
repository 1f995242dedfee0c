"""The outcomes of submissions and of requests for action tokens, counted for metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from app.domain.errors import DomainError, ErrorCode

ACCEPTED = "ACCEPTED"
REPEATED = "REPEATED"
"""The request was accepted before, and got its first receipt again."""

REPLAYS = (ErrorCode.ACTION_TOKEN_USED.value, ErrorCode.DUPLICATE_ACTION.value, REPEATED)
"""The outcomes of what was submitted before."""


def outcome_of(error: BaseException) -> str:
    """Return the outcome of what ended with `error`: its code."""
    return (error.code if isinstance(error, DomainError) else ErrorCode.INTERNAL_SERVER_ERROR).value


@contextmanager
def counted(outcomes: Counter[str]) -> Iterator[None]:
    """Count the outcome of the block, which is ACCEPTED or the code of its exception."""
    try:
        yield
    except Exception as error:
        outcomes[outcome_of(error)] += 1
        raise
    outcomes[ACCEPTED] += 1
