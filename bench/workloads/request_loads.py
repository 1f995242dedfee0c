"""What clients send: for each connection the requests of its own players."""

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

Lanes = Sequence[Sequence[bytes]]


def queries(server: Server, players: Sequence[Player], connections: int, seconds: float) -> HttpLoad:
    """Every player asks for the first ten."""
    variables = {"category": "global", "period": "ALL_TIME", "limit": 10}
    max_concurrent = [
        [wire.post(documents.BOARD, variables, player.access_token) for player in lane]
        for lane in _shared_out(players, connections)
    ]
    return _load(server, max_concurrent, b'"rank":10', seconds)


def ranks(
    server: Server, asking: Sequence[Player], about: Sequence[Player], connections: int, seconds: float
) -> HttpLoad:
    """Each of the players `asking` wants the rank of its counterpart in `about`."""
    pairs = list(zip(asking, about, strict=True))
    max_concurrent = [
        [wire.post(documents.RANK, {"userId": other.name}, player.access_token) for player, other in lane]
        for lane in (pairs[number::connections] for number in range(connections))
    ]
    return _load(server, max_concurrent, b'"userRank":{"', seconds)


def issues(server: Server, players: Sequence[Player], connections: int, seconds: float) -> HttpLoad:
    """Every player asks for action tokens."""
    variables = {"input": {"actionType": documents.ACTION}}
    max_concurrent = [
        [wire.post(documents.ISSUE, variables, player.access_token) for player in lane]
        for lane in _shared_out(players, connections)
    ]
    return _load(server, max_concurrent, b'"ActionTokenIssued"', seconds)


def visit(server: Server, players: Sequence[Player], connections: int) -> HttpLoad:
    """Every player asks for one action token: afterwards the server has seen them all."""
    load = issues(server, players, connections, seconds=60)
    return replace(load, warm_up=0, again=False)


def submissions(
    subject: Subject, server: Server, players: Sequence[Player], connections: int, seconds: float, most: int
) -> HttpLoad:
    """Every player hands in action tokens that were made beforehand, `most` in all; none is sent twice."""
    max_concurrent = [list(islice(cycle(lane), most // connections)) for lane in _shared_out(players, connections)]
    tokens = iter(subject.action_tokens([player for lane in max_concurrent for player in lane]))
    requests = [[submission(player, next(tokens)) for player in lane] for lane in max_concurrent]
    return _load(server, requests, b'"ScoreAccepted"', seconds, again=False)


def reports(
    server: Server, token: str, players: Sequence[Player], connections: int, seconds: float, most: int
) -> HttpLoad:
    """One game server records actions of all players, `most` in all, each with an idempotency key of its own."""
    max_concurrent = [
        [
            _report(token, player, f"{number}-{count}-{uuid4().hex}")
            for count, player in enumerate(islice(cycle(lane), most // connections))
        ]
        for number, lane in enumerate(_shared_out(players, connections))
    ]
    return _load(server, max_concurrent, b'"ScoreAccepted"', seconds, again=False)


def _report(token: str, player: Player, key: str) -> bytes:
    variables = {"input": {"actionType": documents.ACTION, "userId": player.name, "idempotencyKey": key}}
    return wire.post(documents.RECORD, variables, token)


def submission(player: Player, action_token: str) -> bytes:
    """One submission as a request."""
    return wire.post(documents.SUBMIT, {"input": {"actionToken": action_token}}, player.access_token)


def _shared_out(players: Sequence[Player], connections: int) -> list[Sequence[Player]]:
    return [players[LEADERS + number :: connections] for number in range(connections)]


def _load(server: Server, max_concurrent: Lanes, expected: bytes, seconds: float, *, again: bool = True) -> HttpLoad:
    return HttpLoad(server.port, max_concurrent, expected, seconds, min(0.7, seconds / 3), server.pids, again)
