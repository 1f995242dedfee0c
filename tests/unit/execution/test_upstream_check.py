"""The private names of libraries that the service relies on."""

from collections.abc import Callable
from importlib.metadata import version

import pytest
import strawberry
from graphql.execution import Executor
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from app.execution import _upstream as graphql_names
from app.execution.upstream_check import UpstreamChanged, require_names
from app.transport import _upstream as server_names


class Library:
    annotated: int

    def __init__(self) -> None:
        self.assigned = 1

    def defined(self) -> None: ...


def test_attributes_that_are_defined_annotated_or_assigned_are_found() -> None:
    require_names("uvicorn", Library, "annotated", "assigned", "defined")


def test_a_missing_name_is_reported_with_library_and_version() -> None:
    with pytest.raises(UpstreamChanged, match=rf"uvicorn {version('uvicorn')} has no `Library\.missing`"):
        require_names("uvicorn", Library, "defined", "missing")


@pytest.mark.parametrize(
    ("check", "owner", "name"),
    [
        (graphql_names.check_names, Executor, "complete_value"),
        (graphql_names.check_names, Executor, "build_per_event_executor"),
        (graphql_names.check_names, strawberry.Schema, "__init__"),
        (server_names.check_names, HttpToolsProtocol, "on_headers_complete"),
        (server_names.check_names, WebSocketsSansIOProtocol, "handle_parser_exception"),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__qualname__", ""),
)
def test_a_private_name_that_a_new_version_removes_is_noticed_at_import(
    monkeypatch: pytest.MonkeyPatch, check: Callable[[], None], owner: type, name: str
) -> None:
    check()
    monkeypatch.delattr(owner, name)
    with pytest.raises(UpstreamChanged):
        check()


def test_a_function_of_strawberry_that_is_found_by_its_name_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphql_names, "BASIC_RESOLVER", "_of_another_name")
    with pytest.raises(UpstreamChanged, match="_of_another_name"):
        graphql_names.check_names()
