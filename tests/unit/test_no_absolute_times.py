"""No test asserts how long something takes: machines differ, and so does what else they do."""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

CLOCKS = {"time", "monotonic", "perf_counter", "process_time", "thread_time"}
CLOCKS |= {f"{clock}_ns" for clock in CLOCKS}


def reads_a_clock(node: ast.AST) -> bool:
    """Whether an expression calls `time.monotonic()`, `loop.time()` or the like."""
    return any(
        isinstance(call, ast.Call)
        and not call.args
        and (
            (isinstance(call.func, ast.Attribute) and call.func.attr in CLOCKS)
            or (isinstance(call.func, ast.Name) and call.func.id in CLOCKS)
        )
        for call in ast.walk(node)
    )


def elapsed_names(function: ast.AST) -> set[str]:
    """The variables that are given a difference of which one side reads a clock."""
    return {
        target.id
        for node in ast.walk(function)
        if isinstance(node, ast.Assign) and any(is_elapsed(part, set()) for part in ast.walk(node.value))
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def is_elapsed(node: ast.AST, names: set[str]) -> bool:
    """Whether an expression is a duration that a clock has measured."""
    if isinstance(node, ast.Name):
        return node.id in names
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Sub)
        and (reads_a_clock(node.left) or reads_a_clock(node.right))
    )


def is_number(node: ast.AST) -> bool:
    """Whether an expression is a number and nothing else, such as `0.05` or `3 * 60`."""
    parts = list(ast.walk(node))
    return all(isinstance(part, (ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop)) for part in parts)


def absolute_times(source: str) -> list[int]:
    """The lines that compare a measured duration with a number."""
    found = set()
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        names = elapsed_names(function)
        for node in ast.walk(function):
            if isinstance(node, ast.Compare):
                for one, other in pairwise([node.left, *node.comparators]):
                    if (is_elapsed(one, names) and is_number(other)) or (is_elapsed(other, names) and is_number(one)):
                        found.add(node.lineno)
    return sorted(found)


@pytest.mark.parametrize(
    "line",
    [
        "assert time.perf_counter() - begin < 0.05",
        "assert 0.4 < loop.time() - begin < 1.5",
        "assert 3 * 60 > asyncio.get_running_loop().time() - begin",
        "seconds = time.process_time() - begin\n    assert seconds <= 0.05",
        "seconds = round(monotonic() - begin, 3)\n    assert seconds <= 0.05",
    ],
)
def test_a_duration_compared_with_a_number_is_found(line: str):
    assert absolute_times(f"async def test_it():\n    {line}\n") != []


@pytest.mark.parametrize(
    "line",
    [
        "assert loop.time() - begin >= 5 * shared.interval",
        "assert len(found) - begin < 3",
        "seconds = loop.time() - begin\n    assert reads <= 1 + 2 * seconds",
        "assert datetime.combine(day, datetime.min.time(), UTC) - begin < pause",
        "while loop.time() < deadline: pass",
    ],
)
def test_what_is_no_duration_or_is_compared_with_no_number_is_not_found(line: str):
    assert absolute_times(f"async def test_it():\n    {line}\n") == []


def test_no_test_compares_a_measured_duration_with_a_number():
    found = {
        f"{path.relative_to(TESTS)}:{number}"
        for path in sorted(TESTS.rglob("*.py"))
        for number in absolute_times(path.read_text())
    }
    assert found == set()
