"""The checker: what must be true of a history. Pure functions of its records, each returning sentences of what is not.

What is not known counts in favour of the service: an attempt without an answer may have been carried out or not.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.nemesis.history import Record

MAX_STALENESS = 15.0
"""Seconds after which a board that says it is current must show what was acknowledged."""

Check = Callable[[Sequence[Record]], Iterator[str]]

CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """Register a check under its name."""
    CHECKS[function.__name__.replace("_", " ")] = function
    return function


def breaches(records: Sequence[Record]) -> dict[str, list[str]]:
    """Return the breaches by check; a check that finds none is missing."""
    found = {name: list(function(records)) for name, function in CHECKS.items()}
    return {name: sentences for name, sentences in found.items() if sentences}


def _of(records: Sequence[Record], *types: str) -> list[Record]:
    return [record for record in records if record["type"] in types]


def _transactions(records: Sequence[Record]) -> list[Record]:
    return [row for truth in _of(records, "truth") for row in truth["transactions"]]


def _acknowledged(records: Sequence[Record]) -> list[Record]:
    return [record for record in _of(records, "attempt") if record.get("receipt")]


def _payment(record: Record) -> str | None:
    """Return what identifies a payment: the token or the key."""
    payment: str | None = record.get("token") or record.get("key")
    return payment


@check
def what_was_acknowledged_is_committed_once(records: Sequence[Record]) -> Iterator[str]:
    """Every receipt is of a transaction that PostgreSQL has once, with the same scores."""
    count = Counter(row["id"] for row in _transactions(records))
    rows = {row["id"]: row for row in _transactions(records)}
    for record in _acknowledged(records):
        receipt = record["receipt"]
        row = rows.get(receipt["transaction"])
        if row is None:
            yield f"{_told(record)}, and PostgreSQL has no such transaction"
            continue
        if count[row["id"]] != 1:
            yield f"{_told(record)}, and PostgreSQL has it {count[row['id']]} times"
        kept = (row["user"], row["score"] - row["delta"], row["score"], row["delta"])
        if kept != (record["user"], receipt["previous"], receipt["new"], receipt["delta"]):
            yield f"{_told(record)}, and PostgreSQL has (user, previous, new, delta) {kept}"


@check
def nothing_is_paid_twice(records: Sequence[Record]) -> Iterator[str]:
    """A token or key has one transaction, one receipt, and is accepted once."""
    for name in ("token", "key"):
        for value, times in Counter(row[name] for row in _transactions(records) if row[name]).items():
            if times > 1:
                yield f"the {name} {value} has {times} transactions"
    told: dict[str, set[str]] = defaultdict(set)
    accepted: Counter[str] = Counter()
    for record in _acknowledged(records):
        if (payment := _payment(record)) is not None:
            told[payment].add(record["receipt"]["transaction"])
            # A repeat of a token is told that it is one; the answer to a repeat of a key is that of the first.
            accepted[payment] += record["outcome"] == "accepted" and "token" in record
    yield from (
        f"{payment} got receipts of several transactions: {ids}" for payment, ids in told.items() if len(ids) > 1
    )
    yield from (f"{payment} was accepted {times} times" for payment, times in accepted.items() if times > 1)


@check
def what_was_refused_left_no_trace(records: Sequence[Record]) -> Iterator[str]:
    """A token or key that was refused by a rule at every attempt has no transaction."""
    outcomes: dict[str, set[str]] = defaultdict(set)
    for record in _of(records, "attempt"):
        if (payment := _payment(record)) is not None:
            outcomes[payment].add(record["outcome"])
    for row in _transactions(records):
        payment = row["token"] or row["key"]
        if payment in outcomes and outcomes[payment] <= {"refused"}:
            yield f"{payment} was refused at every attempt, and has the transaction {row['id']}"


@check
def every_payment_was_asked_for(records: Sequence[Record]) -> Iterator[str]:
    """Every action and adjustment belongs to an attempt of a client."""
    asked = {_payment(record) for record in _of(records, "attempt")}
    for row in _transactions(records):
        payment = row["token"] or row["key"]
        if row["kind"] in ("ACTION", "SERVER_ACTION", "ADJUSTMENT") and payment not in asked:
            yield f"the transaction {row['id']} pays {payment}, which no client asked for"


@check
def scores_are_the_sums_of_their_deltas(records: Sequence[Record]) -> Iterator[str]:
    """Every all-time score is the sum of the deltas of its user and category."""
    sums: Counter[tuple[str, str]] = Counter()
    for row in _transactions(records):
        if row["category"] is not None:
            sums[row["user"], row["category"]] += row["delta"]
    for truth in _of(records, "truth"):
        scores = {(row["user"], row["category"]): row["score"] for row in truth["scores"]}
        for key in sorted(sums.keys() | scores.keys()):
            if sums[key] != scores.get(key, 0):
                yield f"the score of {key} is {scores.get(key)}, and its deltas add up to {sums[key]}"


@check
def every_transaction_continues_the_one_before(records: Sequence[Record]) -> Iterator[str]:
    """A user's transactions are numbered without gaps, and each score is the one before plus the delta."""
    chains: dict[str, list[Record]] = defaultdict(list)
    for row in _transactions(records):
        chains[row["user"]].append(row)
    for user, chain in chains.items():
        scores: Counter[str] = Counter()
        for number, row in enumerate(sorted(chain, key=lambda row: row["seq"]), 1):
            if row["seq"] != number:
                yield f"transaction {number} of {user} has the number {row['seq']}"
                break
            if row["category"] is None:
                continue
            if row["score"] != scores[row["category"]] + row["delta"]:
                yield (
                    f"transaction {number} of {user} leads from {scores[row['category']]} by {row['delta']} "
                    f"to {row['score']}"
                )
            scores[row["category"]] = row["score"]


@check
def versions_never_go_back(records: Sequence[Record]) -> Iterator[str]:
    """What one watcher is shown of a board never has an older version of the same epoch."""
    highest: dict[tuple[str, str], int] = {}
    for record in _of(records, "watch"):
        key = (record["watcher"], record["epoch"])
        if record["version"] < highest.get(key, record["version"]):
            yield (
                f"{record['watcher']} was shown version {record['version']} of epoch {record['epoch']} at "
                f"{record['at']:.1f} s, after {highest[key]}"
            )
        highest[key] = max(record["version"], highest.get(key, record["version"]))


@check
def writers_read_what_they_wrote(records: Sequence[Record]) -> Iterator[str]:
    """A score that is not stale is at least what the same instance has acknowledged. Players' scores never fall."""
    for record in _of(records, "own_score"):
        if not record["stale"] and record["score"] < record["at_least"]:
            yield (
                f"{record['client']} read {record['score']} from instance {record['instance']} at "
                f"{record['began']:.1f} s, which had acknowledged {record['at_least']}"
            )


@check
def boards_that_say_they_are_current_are(records: Sequence[Record]) -> Iterator[str]:
    """A board that is not stale shows what any instance acknowledged `MAX_STALENESS` seconds earlier.

    Only players are compared: their scores never fall, and nobody hides them.
    """
    acknowledged: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for record in _acknowledged(records):
        if record["operation"] == "submit":
            acknowledged[record["user"]].append((record["ended"], record["receipt"]["new"]))
    for record in _of(records, "read"):
        if record["stale"] or record["board"] != "ALL_TIME" or len(record["entries"]) == 100:
            continue
        shown = {user: score for user, _, score in record["entries"]}
        for user, receipts in acknowledged.items():
            due = max((new for ended, new in receipts if ended < record["began"] - MAX_STALENESS), default=0)
            if shown.get(user, 0) < due:
                yield (
                    f"instance {record['instance']} showed {shown.get(user)} for {user} at {record['began']:.1f} s as "
                    f"{record['source']}, not stale, {MAX_STALENESS:g} s after {due} was acknowledged"
                )
                break


@check
def every_watcher_converges(records: Sequence[Record]) -> Iterator[str]:
    """After every fault each watcher and reader shows the scores and the order of PostgreSQL."""
    yield from _not_converged(records, "scores")


@check
def every_name_converges(records: Sequence[Record]) -> Iterator[str]:
    """After every fault each watcher and reader shows the names of PostgreSQL."""
    yield from _not_converged(records, "names")


def _not_converged(records: Sequence[Record], what: str) -> Iterator[str]:
    for record in _of(records, "converged"):
        if record["what"] == what and record["seconds"] is None:
            yield f"round {record['round']} ({', '.join(record['faults'])}): {record['watcher']}: {record['detail']}"


@check
def every_instance_recovers(records: Sequence[Record]) -> Iterator[str]:
    """After every fault each instance accepts a submission and shows a board that is not stale."""
    for record in _of(records, "recovered"):
        if record["seconds"] is None:
            yield (
                f"round {record['round']} ({', '.join(record['faults'])}): {record['operation']} on instance "
                f"{record['instance']} did not succeed"
            )


@check
def there_is_no_internal_error(records: Sequence[Record]) -> Iterator[str]:
    """Whatever happens to the stores, the service knows what to say."""
    expected = {None, "SERVICE_UNAVAILABLE", "USER_NOT_FOUND", "BAD_USER_INPUT", "FORBIDDEN", "RATE_LIMITED"}
    for record in _of(records, "attempt"):
        if record["outcome"] == "failed" and record["code"] not in expected:
            yield (
                f"{record['client']}: {record['operation']} on instance {record['instance']} at "
                f"{record['began']:.1f} s: {record['code']}"
            )


@check
def the_logs_have_no_traceback(records: Sequence[Record]) -> Iterator[str]:
    """An outage is said in a line; a traceback is a mistake in the program."""
    for text, times in Counter(record["text"] for record in _of(records, "log")).items():
        yield f"{times} times: {text}"


@check
def verify_is_clean(records: Sequence[Record]) -> Iterator[str]:
    """`leaderboard verify` finds nothing, at most two minutes after the end."""
    for record in _of(records, "verify"):
        if record["code"] != 0:
            yield record["output"]


@check
def instances_end_when_they_are_asked_to(records: Sequence[Record]) -> Iterator[str]:
    """An instance that gets SIGTERM ends by itself, with the code 0."""
    for record in _of(records, "exit"):
        yield f"instance {record['instance']} ended with {record['code']} after SIGTERM"


def _told(record: Record) -> str:
    receipt: dict[str, Any] = record["receipt"]
    return (
        f"{record['client']} was told {receipt['previous']} → {receipt['new']} by transaction {receipt['transaction']} "
        f"at {record['ended']:.1f} s on instance {record['instance']}"
    )
