"""The history of a run: what clients asked and were told, what was done to the installation, and the final truth.

A record is a JSON object with a `type`. Times are seconds since the beginning of the run.

type         fields
run          seed, and what else the run was started with
attempt      client, operation, instance, began, ended, outcome, code; token or key; user; receipt
read         client, instance, began, ended, board, epoch, version, source, stale, entries
own_score    client, instance, user, began, ended, score, stale, at_least: what the same instance acknowledged before
watch        watcher, instance, at, board, epoch, version, stale, entries
round        number, faults, began
fault        round, name, began, ended: when it was mended, which may take until `mended`
recovered    round, faults, instance, operation, seconds since the end of the faults (null: the time limit was over)
converged    round, faults, watcher, what: scores or names, seconds, detail: what it showed instead
log          instance, text: a traceback or another line that must not be in the log
exit         instance, code: how it ended after SIGTERM, if not with 0
verify       code, output
truth        transactions, scores: the rows in PostgreSQL at the end

`entries` are lists of user id, name and score, in the order of the board. A receipt has transaction, previous, new and
delta. Outcomes of an attempt: accepted, repeated (with the first receipt), refused (by a rule), unavailable, failed
(another GraphQL error, whose `code` says which), unknown (no answer).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class History:
    """Collects the records of a run, and writes each to a file at once."""

    def __init__(self, file: Path) -> None:
        self.records: list[Record] = []
        self._file = file.open("w")
        self._began = time.monotonic()

    def now(self) -> float:
        """Return the seconds since the beginning of the run."""
        return round(time.monotonic() - self._began, 4)

    def add(self, type_: str, **fields: Any) -> Record:
        """Add a record."""
        record = {"type": type_, **fields}
        self.records.append(record)
        self._file.write(json.dumps(record, separators=(",", ":")) + "\n")
        self._file.flush()
        return record

    def of(self, type_: str) -> Iterator[Record]:
        """Return the records of a type."""
        return (record for record in self.records if record["type"] == type_)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def load(file: Path) -> list[Record]:
    """Return the records of a file."""
    return [json.loads(line) for line in file.read_text().splitlines()]
