"""A GraphQL client for simulations."""

from __future__ import annotations

from typing import Any

import httpx2


class RequestRefused(Exception):
    """The server refused a request; `retry_after` is in seconds, 0 if the server named no time."""

    def __init__(self, code: str, retry_after: float = 0.0) -> None:
        self.code = code
        self.retry_after = retry_after
        super().__init__(code)

    @classmethod
    def of(cls, error: dict[str, Any]) -> RequestRefused:
        """Return the exception of an error of a response."""
        extensions = error.get("extensions") or {}
        return cls(extensions.get("code", "UNKNOWN"), float(extensions.get("retryAfter", 0)))


async def execute(
    http: httpx2.AsyncClient, token: str, query: str, variables: dict[str, Any]
) -> tuple[dict[str, Any], dict[int, RequestRefused]]:
    """Execute an operation with one root field.

    Returns:
        The data, and the errors of the members of a list that is the root field, by their index.

    Raises:
        RequestRefused: The operation failed as a whole, or the server did not answer.
    """
    try:
        response = await http.post(
            "/graphql",
            json={"query": query, "variables": variables},
            headers={"authorization": f"Bearer {token}"},
        )
        body = response.json()
    except (httpx2.HTTPError, ValueError):
        raise RequestRefused("NETWORK_ERROR") from None
    failed: dict[int, RequestRefused] = {}
    for error in body.get("errors") or ():
        path: list[Any] = error.get("path") or []
        if body.get("data") is None or len(path) != 2 or not isinstance(path[1], int):
            raise RequestRefused.of(error)
        failed[path[1]] = RequestRefused.of(error)
    return body["data"], failed
