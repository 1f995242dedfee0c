"""The clients of a run. Each repeats what it asks until it knows the outcome, and records every attempt."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx2
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, WebSocketException
from websockets.typing import Subprotocol

from app.config import Settings
from app.domain.users import Role, SubjectIds
from app.services.auth.signing_keys import SigningKeys
from tests.nemesis.history import History, Record
from tests.nemesis.installation import BOARDS, Installation

RECEIPT = "transactionId previousScore newScore scoreDelta user { id }"
ISSUE = """
mutation($input: IssueActionTokenInput!) {
  issueActionToken(input: $input) { __typename ... on ActionTokenIssued { actionToken } ... on UserError { code } }
}
"""
OUTCOME = f"__typename ... on ScoreAccepted {{ {RECEIPT} }} ... on UserError {{ code }}"
SUBMIT = f"""
mutation($input: SubmitScoreInput!) {{
  outcome: submitScore(input: $input) {{ {OUTCOME} ... on ActionTokenUsed {{ receipt {{ {RECEIPT} }} }} }}
}}
"""
RECORD = f"mutation($input: RecordActionInput!) {{ outcome: recordAction(input: $input) {{ {OUTCOME} }} }}"
ADJUST = f"mutation($input: AdjustScoreInput!) {{ outcome: adjustScore(input: $input) {{ __typename {RECEIPT} }} }}"
REVERT = f"""
mutation($id: ID!) {{ outcome: revertTransaction(transactionId: $id, reason: "nemesis") {{ __typename {RECEIPT} }} }}
"""
MODERATE = {
    "hide": 'mutation($id: ID!) { outcome: hideUser(userId: $id, reason: "nemesis") { __typename } }',
    "unhide": 'mutation($id: ID!) { outcome: unhideUser(userId: $id, reason: "nemesis") { __typename } }',
    "delete": 'mutation($id: ID!) { outcome: deleteUser(userId: $id, reason: "nemesis") { __typename } }',
}
ENTRIES = "epoch version stale source entries { score user { id username } }"
BOARD = f"query($period: Period!) {{ leaderboard(period: $period, limit: 100) {{ {ENTRIES} }} }}"
OWN_SCORE = "query($id: ID!) { userRank(userId: $id) { score } leaderboard(limit: 1) { stale } }"
WATCH = f"""
subscription($period: Period!) {{ leaderboardUpdates(period: $period, limit: 50) {{ leaderboard {{ {ENTRIES} }} }} }}
"""
ACCEPT = "application/graphql-response+json"


class Unanswered(Exception):
    """There was no answer: what was asked may have been done."""


@dataclass
class Answer:
    """The data of an answer, or the code of its first error."""

    data: dict[str, Any] | None
    code: str | None = None


@dataclass
class Clients:
    """What all clients share: the installation, the history, and whether they may write."""

    installation: Installation
    history: History
    random: Random
    writing: asyncio.Event = field(default_factory=asyncio.Event)
    under_way: int = 0
    ended: bool = False
    http: list[httpx2.AsyncClient] = field(default_factory=list)
    receipts: list[Record] = field(default_factory=list)
    """Receipts of the wards, whom moderators deal with."""

    def __post_init__(self) -> None:
        self.http = [httpx2.AsyncClient(base_url=each.url, timeout=8) for each in self.installation.instances]

    async def close(self) -> None:
        """Close the connections."""
        for http in self.http:
            await http.aclose()

    async def ask(self, instance: int, document: str, variables: dict[str, Any], token: str | None = None) -> Answer:
        """Return the answer of an instance.

        Raises:
            Unanswered: There was none.
        """
        headers = {"accept": ACCEPT} | ({"authorization": f"Bearer {token}"} if token else {})
        try:
            body = {"query": document, "variables": variables}
            response = await self.http[instance].post("/graphql", json=body, headers=headers)
            answer = response.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise Unanswered(repr(error)) from None
        if errors := answer.get("errors"):
            return Answer(None, errors[0].get("extensions", {}).get("code", "NONE"))
        return Answer(answer["data"])

    async def quiet(self, timeout: float) -> None:
        """Stop the writers, and return when nothing they asked for is under way."""
        self.writing.clear()
        async with asyncio.timeout(timeout):
            while self.under_way:  # noqa: ASYNC110  the writers are many, and none is the last
                await asyncio.sleep(0.02)

    @contextlib.contextmanager
    def an_action(self) -> Any:
        """Count what is under way."""
        self.under_way += 1
        try:
            yield
        finally:
            self.under_way -= 1

    async def attempt(
        self,
        client: str,
        operation: str,
        instance: int,
        document: str,
        variables: dict[str, Any],
        access: str,
        **more: Any,
    ) -> Record:
        """Ask once for the field `outcome`, and record what came of it."""
        began, receipt, code = self.history.now(), None, None
        try:
            answer = await self.ask(instance, document, variables, access)
        except Unanswered as error:
            outcome, code = "unknown", str(error)[:200]
        else:
            if answer.data is None:
                code = answer.code
                outcome = "unavailable" if code == "SERVICE_UNAVAILABLE" else "failed"
            else:
                body = answer.data["outcome"]
                outcome = {"ActionTokenUsed": "repeated", "DuplicateAction": "repeated"}.get(
                    body["__typename"], "refused" if "code" in body and "receipt" not in body else "accepted"
                )
                receipt, code = body.get("receipt") or (body if "transactionId" in body else None), body.get("code")
        if receipt is not None:
            more["user"] = receipt["user"]["id"]
            more["receipt"] = {
                "transaction": receipt["transactionId"],
                "previous": receipt["previousScore"],
                "new": receipt["newScore"],
                "delta": receipt["scoreDelta"],
            }
        return self.history.add(
            "attempt",
            client=client,
            operation=operation,
            instance=instance,
            began=began,
            ended=self.history.now(),
            outcome=outcome,
            code=code,
            **more,
        )

    async def until_known(self, attempts: Callable[[], Awaitable[Record]], max_attempts: int = 200) -> Record:
        """Repeat an attempt until its outcome is known."""
        for _ in range(max_attempts):
            record = await attempts()
            if record["outcome"] not in ("unknown", "unavailable") or self.ended:
                return record
            await asyncio.sleep(0.1)
        return record

    def any_instance(self) -> int:
        """Return the number of an instance."""
        return self.random.randrange(2)


def access_token(settings: Settings, subject: str, role: Role = Role.PLAYER, username: str | None = None) -> str:
    """Return an access token that is valid for hours, with a name that may differ from the subject."""
    now = int(time.time())
    claims = {
        "sub": subject,
        "username": username or subject,
        "role": role.value,
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
        "iat": now - 60,
        "exp": now + 36_000,
    }
    return SigningKeys(settings.jwt_secret.get_secret_value()).sign(claims, "at+jwt")


def token_hash(action_token: str) -> str:
    """Return the hash by which PostgreSQL knows an action token."""
    claims = action_token.split(".")[1]
    nonce: str = json.loads(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["jti"]
    return hashlib.sha256(nonce.encode()).hexdigest()


async def play(clients: Clients, name: str) -> None:
    """Request tokens and submit them: once, several times at once, and again after a lost answer."""
    token = access_token(clients.installation.settings, name)
    user = str(SubjectIds(clients.installation.settings.jwt_issuer).user_id(name))
    at_least = [0, 0]
    while not clients.ended:
        await clients.writing.wait()
        with clients.an_action():
            action_token = await _issued(clients, name, token, user)
            if action_token is None:
                continue
            hashed = token_hash(action_token)

            async def submit(instance: int | None = None) -> Record:
                return await clients.attempt(
                    name,
                    "submit",
                    clients.any_instance() if instance is None else instance,
                    SUBMIT,
                    {"input": {"actionToken": action_token}},  # noqa: B023
                    token,
                    token=hashed,  # noqa: B023
                    user=user,
                )

            if clients.random.random() < 0.2:
                results = await asyncio.gather(*(submit(number % 2) for number in range(4)))
            else:
                results = [await submit()]
            if any(result["outcome"] in ("unknown", "unavailable") for result in results):
                results.append(await clients.until_known(submit))
            for result in results:
                if "receipt" in result:
                    at_least[result["instance"]] = max(at_least[result["instance"]], result["receipt"]["new"])
            last = results[-1]
            if "receipt" in last:
                await read_own_score(clients, name, user, last["instance"], at_least[last["instance"]])
        await asyncio.sleep(clients.random.uniform(0.05, 0.5))


async def _issued(clients: Clients, name: str, token: str, user: str) -> str | None:
    while not clients.ended and clients.writing.is_set():
        instance, began = clients.any_instance(), clients.history.now()
        try:
            answer = await clients.ask(instance, ISSUE, {"input": {"actionType": "COMPLETE_LEVEL"}}, token)
        except Unanswered:
            await asyncio.sleep(0.1)
            continue
        if answer.data is not None and "actionToken" in answer.data["issueActionToken"]:
            issued: str = answer.data["issueActionToken"]["actionToken"]
            return issued
        if answer.code != "SERVICE_UNAVAILABLE":
            clients.history.add(
                "attempt",
                client=name,
                operation="issue",
                instance=instance,
                began=began,
                ended=clients.history.now(),
                outcome="failed",
                code=answer.code or answer.data,
                user=user,
            )
        await asyncio.sleep(0.1)
    return None


async def read_own_score(clients: Clients, name: str, user: str, instance: int, at_least: int) -> None:
    """Read a score from the instance that acknowledged it, and record both."""
    began = clients.history.now()
    with contextlib.suppress(Unanswered):
        answer = await clients.ask(instance, OWN_SCORE, {"id": user})
        if answer.data is not None and answer.data["userRank"] is not None:
            clients.history.add(
                "own_score",
                client=name,
                instance=instance,
                user=user,
                began=began,
                ended=clients.history.now(),
                score=answer.data["userRank"]["score"],
                stale=answer.data["leaderboard"]["stale"],
                at_least=at_least,
            )
        elif answer.code not in (None, "SERVICE_UNAVAILABLE", "USER_NOT_FOUND"):
            _failed_read(clients, name, instance, began, answer.code)


async def record_actions(clients: Clients, name: str, wards: list[str]) -> None:
    """Record actions for wards as a game's back end, each under a key, sometimes twice at once."""
    settings = clients.installation.settings
    token = access_token(settings, name, Role.SERVER)
    number = 0
    while not clients.ended:
        await clients.writing.wait()
        with clients.an_action():
            number += 1
            key, ward = f"{name}/{number}", clients.random.choice(wards)
            content = {
                "actionType": "COMPLETE_QUIZ",
                "idempotencyKey": key,
                "user": {"subject": ward},
                "username": ward,
            }

            async def record(instance: int | None = None) -> Record:
                return await clients.attempt(
                    name,
                    "record",
                    clients.any_instance() if instance is None else instance,
                    RECORD,
                    {"input": content},  # noqa: B023
                    token,
                    key=key,  # noqa: B023
                    user=str(SubjectIds(settings.jwt_issuer).user_id(ward)),  # noqa: B023
                )

            if clients.random.random() < 0.2:
                results = list(await asyncio.gather(record(0), record(1)))
            else:
                results = [await record()]
            if any(result["outcome"] in ("unknown", "unavailable") for result in results):
                results.append(await clients.until_known(record))
            if "receipt" in results[-1]:
                clients.receipts.append(results[-1])
        await asyncio.sleep(clients.random.uniform(0.05, 0.5))


async def moderate(clients: Clients, name: str, wards: list[str]) -> None:
    """Adjust, revert, hide, unhide, rename and delete wards, one decision after another."""
    settings, random = clients.installation.settings, clients.random
    token = access_token(settings, name, Role.MODERATOR)
    number = 0
    while not clients.ended:
        await clients.writing.wait()
        with clients.an_action():
            number += 1
            ward = random.choice(wards)
            user = str(SubjectIds(settings.jwt_issuer).user_id(ward))
            operation = random.choices(
                ("adjust", "revert", "hide", "unhide", "rename", "delete"), (6, 4, 2, 3, 4, 0.5)
            )[0]
            if operation == "adjust":
                key = f"{name}/{number}"
                delta = random.choice((-7, 5, 30))
                content = {"userId": user, "adjustment": {"delta": delta}, "reason": "nemesis", "idempotencyKey": key}
                ask = _asking(clients, name, operation, ADJUST, {"input": content}, token, key=key, user=user)
            elif operation == "revert":
                if not clients.receipts:
                    continue
                paid = random.choice(clients.receipts)
                variables = {"id": paid["receipt"]["transaction"]}
                ask = _asking(clients, name, operation, REVERT, variables, token, user=paid["user"])
            elif operation == "rename":
                # A name is a claim of the access token; the user's next mutation brings it.
                renamed = access_token(settings, ward, username=f"{ward} {number}")
                variables = {"input": {"actionType": "COMPLETE_LEVEL"}}
                document = ISSUE.replace("issueActionToken(", "outcome: issueActionToken(")
                ask = _asking(clients, name, operation, document, variables, renamed, user=user)
            else:
                ask = _asking(clients, name, operation, MODERATE[operation], {"id": user}, token, user=user)
            await clients.until_known(ask)
        await asyncio.sleep(random.uniform(0.2, 0.8))


def _asking(
    clients: Clients, name: str, operation: str, document: str, variables: dict[str, Any], token: str, **more: Any
) -> Callable[[], Awaitable[Record]]:
    async def ask() -> Record:
        return await clients.attempt(name, operation, clients.any_instance(), document, variables, token, **more)

    return ask


def _entries(board: dict[str, Any]) -> list[list[Any]]:
    return [[entry["user"]["id"], entry["user"]["username"], entry["score"]] for entry in board["entries"]]


def _failed_read(clients: Clients, name: str, instance: int, began: float, code: str | None) -> None:
    clients.history.add(
        "attempt",
        client=name,
        operation="read",
        instance=instance,
        began=began,
        ended=clients.history.now(),
        outcome="failed",
        code=code,
    )


async def read_board(clients: Clients, name: str, instance: int, board: str) -> Record | None:
    """Read a board once, and record it; return None if there was no answer."""
    began = clients.history.now()
    try:
        answer = await clients.ask(instance, BOARD, {"period": board})
    except Unanswered:
        return None
    if answer.data is None:
        if answer.code != "SERVICE_UNAVAILABLE":
            _failed_read(clients, name, instance, began, answer.code)
        return None
    shown = answer.data["leaderboard"]
    return clients.history.add(
        "read",
        client=name,
        instance=instance,
        began=began,
        ended=clients.history.now(),
        board=board,
        epoch=shown["epoch"],
        version=shown["version"],
        source=shown["source"],
        stale=shown["stale"],
        entries=_entries(shown),
    )


async def read(clients: Clients, name: str, instance: int) -> None:
    """Read boards all the time."""
    while not clients.ended:
        await read_board(clients, name, instance, clients.random.choice(BOARDS))
        await asyncio.sleep(clients.random.uniform(0.2, 0.6))


class Watcher:
    """Watches a board of one instance over a socket or a stream, and connects again whenever the connection ends."""

    def __init__(self, clients: Clients, instance: int, board: str, transport: str) -> None:
        self.name = f"{transport} {board} {instance}"
        self.instance = instance
        self.board = board
        self.shown: Record | None = None
        """The last message."""
        self._clients = clients
        self._receive = self._receive_socket if transport == "socket" else self._receive_stream

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            with contextlib.suppress(
                WebSocketException, InvalidHandshake, OSError, TimeoutError, httpx2.HTTPError, ValueError, EOFError
            ):
                await self._receive()
            await asyncio.sleep(self._clients.random.uniform(0.05, 0.4))

    async def _receive_socket(self) -> None:
        url = self._clients.installation.instances[self.instance].url.replace("http", "ws", 1) + "/graphql"
        protocol = Subprotocol("graphql-transport-ws")
        async with connect(
            url, subprotocols=[protocol], open_timeout=5, ping_interval=3, ping_timeout=5, close_timeout=1
        ) as socket:
            await socket.send(json.dumps({"type": "connection_init"}))
            await socket.recv()  # The acknowledgement, before which nothing may be subscribed to.
            payload = {"query": WATCH, "variables": {"period": self.board}}
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
            async for text in socket:
                message = json.loads(text)
                if message["type"] == "next":
                    self._take(message["payload"])
                elif message["type"] in ("error", "complete"):
                    self._take({"errors": message.get("payload")})
                    return

    async def _receive_stream(self) -> None:
        headers = {"accept": "text/event-stream"}
        body = {"query": WATCH, "variables": {"period": self.board}}
        http = self._clients.http[self.instance]
        async with http.stream("POST", "/graphql", json=body, headers=headers, timeout=20) as response:
            async for line in response.aiter_lines():
                if line.startswith("data:") and line != "data:":
                    payload = json.loads(line.removeprefix("data:"))
                    if payload:
                        self._take(payload)

    def _take(self, payload: dict[str, Any]) -> None:
        history = self._clients.history
        if payload.get("errors"):
            code = payload["errors"][0].get("extensions", {}).get("code")
            if code != "SERVICE_UNAVAILABLE":
                _failed_read(self._clients, self.name, self.instance, history.now(), code)
            return
        shown = payload["data"]["leaderboardUpdates"]["leaderboard"]
        self.shown = history.add(
            "watch",
            watcher=self.name,
            instance=self.instance,
            at=history.now(),
            board=self.board,
            epoch=shown["epoch"],
            version=shown["version"],
            source=shown["source"],
            stale=shown["stale"],
            entries=_entries(shown),
        )


def watchers_of(clients: Clients) -> Iterable[Watcher]:
    """Return a watcher per instance, board and transport."""
    for instance in (0, 1):
        for board in BOARDS:
            for transport in ("socket", "stream"):
                yield Watcher(clients, instance, board, transport)
