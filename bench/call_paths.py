"""Count what a request passes through: distinct files of `app`, moves between them, and calls of their functions.

`python -m bench.call_paths` starts the service on private stores in this process, warms it up, and records with
`sys.setprofile` every call of a function of `app` while one request is answered. A move is a call into another file
than the call before; a coroutine that is resumed counts as a call. Each line is the median, by moves, of several
requests. `-v` also lists the calls of that request in their order.

Few moves make a request easy to follow with a debugger or an editor. The figures do not depend on the machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

from app.config import Settings
from app.models.migrate import upgrade
from app.server import Server, config
from bench.subjects.stores import create_database, private_stores
from bench.workloads.documents import ACTION, ISSUE, SUBMIT
from bench.workloads.players import make_players

APP_FOLDER = str(Path(__file__).resolve().parents[1] / "app") + "/"

WARM_UP_REQUESTS = 5
MEASURED_REQUESTS = 11
QUIET_SECONDS = 0.3
"""Pause before each recorded request, in which the work that follows the request before it ends."""

START_TIMEOUT = 60.0
"""Seconds in which the service must be ready."""

BOARD = "{ leaderboard(limit: 10) { version entries { rank score user { id username } } } }"
BOARD_AROUND = """query ($id: ID!) {
  leaderboard(limit: 10) { version entries { rank score } around(userId: $id) { rank user { username } } }
}"""


@dataclass(frozen=True)
class CallPath:
    """The calls of one request: each as `file:function`, in their order."""

    calls: tuple[tuple[str, str], ...]

    @property
    def files(self) -> int:
        """The number of distinct files."""
        return len({file for file, _ in self.calls})

    @property
    def moves(self) -> int:
        """The number of calls into another file than the call before."""
        files = [file for file, _ in self.calls]
        return sum(one != other for one, other in pairwise(files))


class CallRecorder:
    """A profile function that records the calls of functions of `app` while it is switched on."""

    def __init__(self) -> None:
        self._is_on = False
        self._calls: list[tuple[str, str]] = []

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Record one event of the interpreter."""
        if self._is_on and event == "call" and frame.f_code.co_filename.startswith(APP_FOLDER):
            code = frame.f_code
            self._calls.append((code.co_filename.removeprefix(APP_FOLDER), code.co_qualname))

    def record(self, request: Callable[[], None]) -> CallPath:
        """Return the calls that are made while `request` runs in another thread."""
        self._calls, self._is_on = [], True
        request()
        self._is_on = False
        return CallPath(tuple(self._calls))


class Client:
    """A keep-alive connection for GraphQL requests."""

    def __init__(self, port: int, access_token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_TIMEOUT)
        self._access_token = access_token

    def execute(self, query: str, *, signed_in: bool = True, **variables: object) -> dict[str, Any]:
        """Return the `data` of one operation. Raises RuntimeError when it has errors."""
        headers = {"content-type": "application/json", "accept": "application/json"}
        if signed_in:
            headers["authorization"] = f"Bearer {self._access_token}"
        body = json.dumps({"query": query, "variables": variables})
        self._connection.request("POST", "/graphql", body, headers)
        result: dict[str, Any] = json.loads(self._connection.getresponse().read())
        if "errors" in result:
            raise RuntimeError(f"the request must succeed: {result['errors']}")
        data: dict[str, Any] = result["data"]
        return data


def measure(recorder: CallRecorder, prepare: Callable[[], Callable[[], None]]) -> CallPath:
    """Return the median path, by moves, of the requests that `prepare` makes one after the other."""
    paths = []
    for _ in range(WARM_UP_REQUESTS + MEASURED_REQUESTS):
        request = prepare()
        time.sleep(QUIET_SECONDS)
        paths.append(recorder.record(request))
    return sorted(paths[WARM_UP_REQUESTS:], key=lambda path: path.moves)[MEASURED_REQUESTS // 2]


def measure_all(recorder: CallRecorder, client: Client) -> dict[str, CallPath]:
    """Return the path of each kind of request."""
    user_id = client.execute("{ me { user { id } } }")["me"]["user"]["id"]

    def submission() -> Callable[[], None]:
        token = client.execute(ISSUE, input={"actionType": ACTION})["issueActionToken"]["actionToken"]

        def submit() -> None:
            result = client.execute(SUBMIT, input={"actionToken": token})["submitScore"]
            if result["__typename"] != "ScoreAccepted":
                raise RuntimeError(f"the submission must be accepted: {result}")

        return submit

    def board() -> None:
        client.execute(BOARD, signed_in=False)

    def board_around() -> None:
        client.execute(BOARD_AROUND, id=user_id)

    return {
        "submitScore": measure(recorder, submission),
        "leaderboard, cached": measure(recorder, lambda: board),
        "leaderboard with around": measure(recorder, lambda: board_around),
    }


def settings_of(database_url: str, redis_url: str) -> Settings:
    """Return settings with which no request is refused or checked at random."""
    unlimited = 10**6
    values: dict[str, Any] = {
        "database_url": database_url,
        "redis_url": redis_url,
        "port": 0,
        "log_level": "WARNING",
        "spot_check_rate": 0,
        "rate_limit_submit_per_user": unlimited,
        "rate_limit_submit_per_address": unlimited,
        "rate_limit_issue_per_user": unlimited,
        "rate_limit_issue_per_address": unlimited,
        "rate_limit_query_per_user": unlimited,
        "rate_limit_query_per_address": unlimited,
        "rate_limit_anonymous_per_address": unlimited,
    }
    return Settings(**values)


def run(settings: Settings) -> dict[str, CallPath]:
    """Serve in this thread, whose calls are recorded, and send the requests from another one."""
    listener = socket.create_server(("127.0.0.1", 0))
    ready = threading.Event()
    server = Server(config(settings), on_ready=ready.set)
    recorder = CallRecorder()
    paths: dict[str, CallPath] = {}
    failures: list[Exception] = []

    def send() -> None:
        try:
            if not ready.wait(START_TIMEOUT):
                raise TimeoutError("the service must be ready in time")
            (player,) = make_players(1, settings)
            paths.update(measure_all(recorder, Client(listener.getsockname()[1], player.access_token)))
        except Exception as error:
            failures.append(error)
        finally:
            server.should_exit = True

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    sys.setprofile(recorder)
    try:
        server.run(sockets=[listener])
    finally:
        sys.setprofile(None)
        sender.join(START_TIMEOUT)
    if failures:
        raise failures[0]
    return paths


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.call_paths", description=__doc__)
    parser.add_argument("-v", "--verbose", action="store_true", help="list the calls of each request")
    options = parser.parse_args()
    with private_stores() as stores:
        database = create_database(stores, "call_paths")
        upgrade(database.url)
        paths = run(settings_of(database.url, stores.redis_url))
    print(f"{'request':<26}{'files':>6}{'moves':>6}{'calls':>6}")
    for name, path in paths.items():
        print(f"{name:<26}{path.files:>6}{path.moves:>6}{len(path.calls):>6}")
        for file, function in path.calls if options.verbose else ():
            print(f"    {file}:{function}")


if __name__ == "__main__":
    main()
