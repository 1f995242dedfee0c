"""The loads of the benchmarks: for each connection, the requests of its players."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice
from uuid import uuid4

from bench.load.http import HttpLoad
from bench.subjects.processes import Server
from bench.subjects.subjects import Subject
from bench.workloads import documents, wire
from bench.workloads.players import LEADERS, Player

Requests = Sequence[Sequence[bytes]]

REPORTS = 100
"""Actions that one request of `recordActions` reports."""


def queries(server: Server, players: Sequence[Player], connections: int, seconds: float) -> HttpLoad:
    """Let every player query the first ten entries."""
    variables = {"category": "global", "period": "ALL_TIME", "limit": 10}
    requests = [
        [wire.post(documents.BOARD, variables, player.access_token) for player in share]
        for share in _split(players, connections)
    ]
    return _load(server, requests, b'"rank":10', seconds)


def ranks(
    server: Server, viewers: Sequence[Player], targets: Sequence[Player], connections: int, seconds: float
) -> HttpLoad:
    """Let each player of `viewers` query the rank of the corresponding player of `targets`."""
    pairs = list(zip(viewers, targets, strict=True))
    requests = [
        [wire.post(documents.RANK, {"userId": other.name}, player.access_token) for player, other in share]
        for share in (pairs[number::connections] for number in range(connections))
    ]
    return _load(server, requests, b'"userRank":{"', seconds)


def issues(server: Server, players: Sequence[Player], connections: int, seconds: float) -> HttpLoad:
    """Let every player request action tokens."""
    variables = {"input": {"actionType": documents.ACTION}}
    requests = [
        [wire.post(documents.ISSUE, variables, player.access_token) for player in share]
        for share in _split(players, connections)
    ]
    return _load(server, requests, b'"ActionTokenIssued"', seconds)


def visit(server: Server, players: Sequence[Player], connections: int) -> HttpLoad:
    """Let every player request one action token, so that the server has seen all players."""
    load = issues(server, players, connections, seconds=60)
    return replace(load, warm_up=0, repeat=False)


def submissions(
    subject: Subject, server: Server, players: Sequence[Player], connections: int, seconds: float, total: int
) -> HttpLoad:
    """Let players submit `total` action tokens that were created before; none is sent twice."""
    shares = [list(islice(cycle(share), total // connections)) for share in _split(players, connections)]
    tokens = iter(subject.action_tokens([player for share in shares for player in share]))
    requests = [[submission(player, next(tokens)) for player in share] for share in shares]
    return _load(server, requests, b'"ScoreAccepted"', seconds, repeat=False)


def reports(
    server: Server, token: str, players: Sequence[Player], connections: int, seconds: float, total: int
) -> HttpLoad:
    """Let one game server record `total` actions of all players, each with its own idempotency key."""
    requests = [
        [
            _report(token, player, f"{number}-{count}-{uuid4().hex}")
            for count, player in enumerate(islice(cycle(share), total // connections))
        ]
        for number, share in enumerate(_split(players, connections))
    ]
    return _load(server, requests, b'"ScoreAccepted"', seconds, repeat=False)


def reports_of_many(server: Server, token: str, players: Sequence[Player], seconds: float, total: int) -> HttpLoad:
    """Let one game server record `total` actions of all players over one connection, 100 with each request."""
    inputs = [_input(player, f"{count}-{uuid4().hex}") for count, player in enumerate(islice(cycle(players), total))]
    requests = [
        wire.post(documents.RECORD_MANY, {"inputs": inputs[start : start + REPORTS]}, token)
        for start in range(0, total, REPORTS)
    ]
    return _load(server, [requests], b'"ScoreAccepted"', seconds, repeat=False)


def _report(token: str, player: Player, key: str) -> bytes:
    return wire.post(documents.RECORD, {"input": _input(player, key)}, token)


def _input(player: Player, key: str) -> dict[str, object]:
    return {"actionType": documents.ACTION, "user": {"id": player.name}, "idempotencyKey": key}


def submission(player: Player, action_token: str) -> bytes:
    """Return a request that submits an action token."""
    return wire.post(documents.SUBMIT, {"input": {"actionToken": action_token}}, player.access_token)


def _split(players: Sequence[Player], connections: int) -> list[Sequence[Player]]:
    return [players[LEADERS + number :: connections] for number in range(connections)]


def _load(server: Server, requests: Requests, expected: bytes, seconds: float, *, repeat: bool = True) -> HttpLoad:
    return HttpLoad(server.port, requests, expected, seconds, min(0.7, seconds / 3), server.pids, repeat)
