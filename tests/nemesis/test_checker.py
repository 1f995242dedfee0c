"""The checker finds each kind of breach in a history that was made up, and none in a correct one."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.nemesis import checker
from tests.nemesis.history import Record
from tests.nemesis.run import tracebacks

ADA, BOB = "ada", "bob"


def attempt(outcome: str, *, began: float = 1.0, receipt: tuple[str, int, int] | None = None, **more: Any) -> Record:
    record = {
        "type": "attempt",
        "client": "client",
        "operation": "submit",
        "instance": 0,
        "began": began,
        "ended": began + 0.1,
        "outcome": outcome,
        "code": None,
        "user": ADA,
    }
    if receipt is not None:
        id, previous, new = receipt
        record["receipt"] = {"transaction": id, "previous": previous, "new": new, "delta": new - previous}
    return record | more


def transaction(id: str, seq: int, delta: int, score: int, **more: Any) -> Record:
    row = {"id": id, "user": ADA, "seq": seq, "category": "global", "kind": "ACTION", "token": None, "key": None}
    return row | {"delta": delta, "score": score} | more


def history() -> list[Record]:
    """Return a correct history: Ada is paid by a token and by a key, and Bob is refused."""
    watch = {"type": "watch", "watcher": "w", "instance": 0, "board": "ALL_TIME", "stale": False, "entries": []}
    read = {"type": "read", "client": "r", "instance": 0, "ended": 9.0, "board": "ALL_TIME", "source": "REDIS"}
    round_ = {"round": 1, "faults": ["redis killed"]}
    return [
        attempt("unknown", token="t1"),
        attempt("accepted", token="t1", receipt=("1", 0, 50)),
        attempt("repeated", token="t1", receipt=("1", 0, 50)),
        attempt("accepted", operation="record", key="k1", receipt=("2", 50, 60)),
        attempt("accepted", operation="record", key="k1", receipt=("2", 50, 60)),
        attempt("refused", token="t2", user=BOB),
        watch | {"at": 1.0, "epoch": "a", "version": 7},
        watch | {"at": 2.0, "epoch": "b", "version": 1},
        watch | {"at": 3.0, "epoch": "a", "version": 7},
        read | {"began": 1.0, "stale": False, "entries": []},
        read | {"began": 99.0, "stale": False, "entries": [[ADA, "Ada", 50]]},
        read | {"began": 99.0, "stale": True, "entries": []},
        {"type": "own_score", "client": "c", "instance": 0, "began": 2.0, "score": 50, "stale": False, "at_least": 50},
        {"type": "own_score", "client": "c", "instance": 0, "began": 2.0, "score": 0, "stale": True, "at_least": 50},
        {"type": "converged", "watcher": "w", "what": "scores", "seconds": 1.0, "detail": ""} | round_,
        {"type": "converged", "watcher": "w", "what": "names", "seconds": 1.0, "detail": ""} | round_,
        {"type": "recovered", "instance": 0, "operation": "submit", "seconds": 1.0} | round_,
        {"type": "verify", "code": 0, "output": ""},
        {
            "type": "truth",
            "transactions": [
                transaction("1", 1, 50, 50, token="t1"),
                transaction("2", 2, 10, 60, key="k1", kind="SERVER_ACTION"),
                transaction("3", 3, 0, 0, category=None, kind="HIDING"),
            ],
            "scores": [{"user": ADA, "category": "global", "score": 60}],
        },
    ]


def of(records: list[Record], type_: str, number: int = 0) -> Record:
    return [record for record in records if record["type"] == type_][number]


def rows(records: list[Record]) -> list[Record]:
    found: list[Record] = of(records, "truth")["transactions"]
    return found


Change = Callable[[list[Record]], object]

BREACHES: dict[str, tuple[str, Change]] = {
    "an acknowledged transaction is missing": (
        "what was acknowledged is committed once",
        lambda h: rows(h).pop(0),
    ),
    "an acknowledged transaction is there twice": (
        "what was acknowledged is committed once",
        lambda h: rows(h).append(rows(h)[0]),
    ),
    "a receipt differs from its transaction": (
        "what was acknowledged is committed once",
        lambda h: of(h, "attempt", 1)["receipt"].update(previous=10, new=60),
    ),
    "a receipt is of somebody else's transaction": (
        "what was acknowledged is committed once",
        lambda h: rows(h)[0].update(user=BOB),
    ),
    "a token has two transactions": ("nothing is paid twice", lambda h: rows(h)[1].update(token="t1")),
    "a key has two transactions": ("nothing is paid twice", lambda h: rows(h)[0].update(key="k1")),
    "a repeat gets another receipt": (
        "nothing is paid twice",
        lambda h: of(h, "attempt", 4)["receipt"].update(transaction="1"),
    ),
    "a token is accepted twice": ("nothing is paid twice", lambda h: of(h, "attempt", 2).update(outcome="accepted")),
    "what was refused is paid": (
        "what was refused left no trace",
        lambda h: rows(h)[0].update(token="t2"),
    ),
    "a payment that nobody asked for": (
        "every payment was asked for",
        lambda h: rows(h).append(transaction("4", 4, 1, 61, token="t9")),
    ),
    "a score is not the sum": (
        "scores are the sums of their deltas",
        lambda h: of(h, "truth")["scores"][0].update(score=61),
    ),
    "a score without transactions": (
        "scores are the sums of their deltas",
        lambda h: of(h, "truth")["scores"].append({"user": BOB, "category": "global", "score": 1}),
    ),
    "a score is missing": ("scores are the sums of their deltas", lambda h: of(h, "truth")["scores"].clear()),
    "a gap in a chain": ("every transaction continues the one before", lambda h: rows(h)[1].update(seq=4)),
    "a score that does not continue": (
        "every transaction continues the one before",
        lambda h: rows(h)[1].update(delta=5),
    ),
    "a version goes back": ("versions never go back", lambda h: of(h, "watch", 2).update(version=6)),
    "a writer does not read the own score": (
        "writers read what they wrote",
        lambda h: of(h, "own_score").update(score=0),
    ),
    "an old board says that it is current": (
        "boards that say they are current are",
        lambda h: of(h, "read", 2).update(stale=False),
    ),
    "a watcher does not converge": (
        "every watcher converges",
        lambda h: of(h, "converged").update(seconds=None, detail="stale"),
    ),
    "a watcher shows an old name": (
        "every name converges",
        lambda h: of(h, "converged", 1).update(seconds=None, detail="an old name"),
    ),
    "an instance does not recover": ("every instance recovers", lambda h: of(h, "recovered").update(seconds=None)),
    "an internal error": (
        "there is no internal error",
        lambda h: h.append(attempt("failed", code="INTERNAL_SERVER_ERROR")),
    ),
    "a traceback": (
        "the logs have no traceback",
        lambda h: h.append({"type": "log", "instance": 0, "text": "KeyError: 7"}),
    ),
    "a breach that verify found": ("verify is clean", lambda h: of(h, "verify").update(code=1)),
    "an instance that had to be killed": (
        "instances end when they are asked to",
        lambda h: h.append({"type": "exit", "instance": 1, "code": -9}),
    ),
}


def test_a_correct_history_has_no_breaches():
    assert checker.breaches(history()) == {}


@pytest.mark.parametrize("name", BREACHES)
def test_each_breach_is_found(name: str):
    check, change = BREACHES[name]
    records = deepcopy(history())
    change(records)
    assert check in checker.breaches(records)


def test_every_check_can_find_something():
    assert {check for check, _ in BREACHES.values()} == checker.CHECKS.keys()


LOG = """
2026 [error] work failed
Traceback (most recent call last):
  File "a.py", line 1, in a
ConnectionResetError: [Errno 104] Connection reset by peer

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "a.py", line 1, in a
    raise b
app.domain.errors.ServiceUnavailable: Try again.
2026 [error] more
Traceback (most recent call last):
  File "a.py", line 1, in a
    raise b
KeyError: 7
  + Exception Group Traceback (most recent call last):
  |   File "a.py", line 1, in a
  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "a.py", line 1, in a
    | ValueError: x
2026 [info] fine
"""


def test_the_errors_of_unexpected_tracebacks_are_found_in_a_log():
    assert tracebacks(LOG) == ["KeyError: 7", "ValueError: x"]
