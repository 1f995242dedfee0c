"""Submit scores of the leader, which watchers receive."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection

from bench.subjects.subjects import Subject
from bench.workloads import documents
from bench.workloads.documents import POINTS
from bench.workloads.players import Player


@dataclass(frozen=True)
class PublishedChange:
    """One change of the board: the leader's new score, and when the submission was sent, in ns of the wall clock."""

    score: int
    sent_at: int
    acknowledged_at: int


class Publisher:
    """Submits scores of the leader over a connection that is opened before the measurement."""

    def __init__(self, subject: Subject, port: int, leader: Player, score: int, changes: int) -> None:
        """Create a publisher; `score` is the current score, and `changes` the maximum number of submissions."""
        self._connection = HTTPConnection("127.0.0.1", port, timeout=120)
        self._leader = leader
        self._tokens: Sequence[str] = subject.action_tokens([leader] * changes)
        self._used = 0
        self.score = score

    def publish(self) -> PublishedChange:
        """Submit once.

        Raises:
            RuntimeError: The submission is not accepted.
        """
        variables = {"input": {"actionToken": self._tokens[self._used]}}
        body = json.dumps({"query": documents.SUBMIT, "variables": variables})
        headers = {"content-type": "application/json", "authorization": f"Bearer {self._leader.access_token}"}
        self._used += 1
        self._connection.close()  # servers close an idle connection, each after another time
        self._connection.connect()
        sent_at = time.time_ns()
        self._connection.request("POST", "/graphql", body, headers)
        answer = self._connection.getresponse().read()
        acknowledged_at = time.time_ns()
        if b'"ScoreAccepted"' not in answer:
            raise RuntimeError(answer[:500].decode(errors="replace"))
        self.score += POINTS
        return PublishedChange(self.score, sent_at, acknowledged_at)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
