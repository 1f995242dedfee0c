"""Hostile messages and operations for WebSockets."""

from __future__ import annotations

import json
from typing import Any


def _subscribe(payload: object, **more: Any) -> str:
    return json.dumps({"id": "1", "type": "subscribe", "payload": payload} | more)


MESSAGES: dict[str, str | bytes] = {
    "empty": "",
    "nonsense": "nonsense",
    "null": "null",
    "number": "7",
    "list": "[]",
    "batch": '[{"type":"ping"}]',
    "object": "{}",
    "null type": '{"type":null}',
    "type of a list": '{"type":["ping"]}',
    "old protocol": '{"type":"start","id":"1","payload":{}}',
    "server's own": '{"type":"next","id":"1","payload":{}}',
    "init of a list": '{"type":"connection_init","payload":[]}',
    "init of text": '{"type":"connection_init","payload":"x"}',
    "init again": '{"type":"connection_init"}',
    "ping of a number": '{"type":"ping","payload":1}',
    "complete nothing": '{"type":"complete"}',
    "complete a number": '{"type":"complete","id":1}',
    "no id": '{"type":"subscribe","payload":{"query":"{__typename}"}}',
    "empty id": _subscribe({"query": "{__typename}"}, id=""),
    "id of a list": _subscribe({"query": "{__typename}"}, id=["1"]),
    "long id": _subscribe({"query": "{__typename}"}, id="x" * 1000),
    "no payload": '{"type":"subscribe","id":"1"}',
    "null payload": _subscribe(None),
    "payload of a list": _subscribe([]),
    "payload of text": _subscribe("{__typename}"),
    "no query": _subscribe({}),
    "null query": _subscribe({"query": None}),
    "query of a list": _subscribe({"query": ["{__typename}"]}),
    "variables of a list": _subscribe({"query": "{__typename}", "variables": []}),
    "variables of text": _subscribe({"query": "{__typename}", "variables": "{}"}),
    "name of a number": _subscribe({"query": "{__typename}", "operationName": 1}),
    "extensions of a list": _subscribe({"query": "{__typename}", "extensions": []}),
    "persisted query of version 2": _subscribe({"extensions": {"persistedQuery": {"version": 2}}}),
    "document and query": _subscribe({"query": "{__typename}", "documentId": "x"}),
    "lone surrogate": '{"type":"subscribe","id":"1","payload":{"query":"\\ud800"}}',
    "NaN": '{"type":"subscribe","id":"1","payload":{"query":"{__typename}","variables":{"a":NaN}}}',
    "deep array": "[" * 60_000,
    "deep payload": '{"type":"ping","payload":' + '{"a":' * 5000 + "1" + "}" * 5001,
    "too long": _subscribe({"query": " " * 70_000}),
    "binary": b'{"type":"ping"}',
    "empty binary": b"",
}
"""Messages for which the server must close the socket with a code of the protocol."""

OPERATIONS: dict[str, dict[str, Any]] = {
    "syntax error": {"query": "{"},
    "unknown field": {"query": "{ nothing }"},
    "unknown name": {"query": "{ __typename }", "operationName": "Nobody"},
    "empty document": {"query": "# nothing"},
    "missing variable": {"query": "query($a: Int!) { leaderboard(limit: $a) { version } }"},
    "variable of another type": {
        "query": "query($a: Int!) { leaderboard(limit: $a) { version } }",
        "variables": {"a": "x"},
    },
    "huge variable": {"query": "query($a: Int!) { leaderboard(limit: $a) { version } }", "variables": {"a": 10**18}},
    "unknown persisted query": {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}},
    "unknown document": {"documentId": "x"},
    "two subscriptions": {
        "query": "subscription { a: leaderboardUpdates { version } b: leaderboardUpdates { version } }"
    },
    "unknown category": {"query": 'subscription { leaderboardUpdates(category: "\\u0000") { version } }'},
    "no such limit": {"query": "subscription { leaderboardUpdates(limit: -1) { version } }"},
    "nobody's updates": {"query": 'subscription { userUpdates(userId: "x") { __typename } }'},
    "mutation without a token": {"query": 'mutation { submitScore(input: {actionToken: "x"}) { __typename } }'},
}
"""Operations that must end with an error while the socket stays open."""
