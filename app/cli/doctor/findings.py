"""Checks and their findings. Every check has a timeout, and none can stop another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from app.cli.terminal.errors import CommandError
from app.stores.circuit_breaker import describe

CHECK_TIMEOUT = 10.0
"""Seconds that one check may take."""


class Status(StrEnum):
    """The result of a check. Only a problem makes the command fail."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check has found.

    Attributes:
        check: What was checked.
        status: The result.
        text: What was found, as a sentence without the full stop.
        advice: What to do; empty if nothing is to be done.
    """

    check: str
    status: Status
    text: str
    advice: str = ""


def ok(check: str, text: str) -> Finding:
    """Return the finding that everything is as it must be."""
    return Finding(check, Status.OK, text)


def warning(check: str, text: str, advice: str) -> Finding:
    """Return a finding that may be meant, or will become a problem."""
    return Finding(check, Status.WARNING, text, advice)


def problem(check: str, text: str, advice: str) -> Finding:
    """Return a finding that keeps the service from working as it should."""
    return Finding(check, Status.PROBLEM, text, advice)


@dataclass(frozen=True, slots=True)
class Check:
    """A check by name. `run` returns findings, and raises what keeps it from being made."""

    name: str
    run: Callable[[], Awaitable[Iterable[Finding]]]
    advice: str
    """What to do if it cannot be made."""


async def run_checks(checks: Iterable[Check], *, timeout: float = CHECK_TIMEOUT) -> AsyncIterator[Finding]:
    """Make checks one after the other, and yield what they find.

    Args:
        checks: The checks.
        timeout: Seconds that each may take; one that takes longer is a problem, as is one that fails.
    """
    for check in checks:
        try:
            async with asyncio.timeout(timeout):
                found = list(await check.run())
        except TimeoutError:
            found = [problem(check.name, f"no answer within {timeout:g} s", check.advice)]
        except Exception as error:
            reason = str(error) if isinstance(error, CommandError) else describe(error)
            found = [problem(check.name, reason, check.advice)]
        for finding in found:
            yield finding
