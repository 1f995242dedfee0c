"""The names of uvicorn and websockets that the server's protocols use although they are not documented.

`check_names` fails at import when one of them is missing.
"""

from __future__ import annotations

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import Frame
from websockets.protocol import OPEN, Protocol
from websockets.server import ServerProtocol

from app.execution.upstream_check import require_names

__all__ = [
    "OPEN",
    "STATUS_LINE",
    "ASGI3Application",
    "ClientDisconnected",
    "Frame",
    "HttpToolsProtocol",
    "RequestResponseCycle",
    "ServerState",
    "WebSocketsSansIOProtocol",
]

HTTP_PROTOCOL_NAMES = (
    "_should_upgrade",
    "_start_asgi_task",
    "_unset_keepalive_if_required",
    "app_state",
    "client",
    "connection_lost",
    "connection_made",
    "cycle",
    "data_received",
    "flow",
    "handle_websocket_upgrade",
    "headers",
    "loop",
    "on_body",
    "on_header",
    "on_headers_complete",
    "on_message_begin",
    "on_message_complete",
    "on_url",
    "parser",
    "pause_writing",
    "pipeline",
    "resume_writing",
    "scope",
    "server_state",
    "shutdown",
    "tasks",
    "timeout_keep_alive",
    "timeout_keep_alive_handler",
    "timeout_keep_alive_task",
    "transport",
)

WEBSOCKET_PROTOCOL_NAMES = (
    "app",
    "close_sent",
    "close_timeout",
    "close_timer",
    "conn",
    "connection_lost",
    "connection_made",
    "curr_msg_data_type",
    "disconnected",
    "frames",
    "handle_close",
    "handle_cont",
    "handle_parser_exception",
    "handle_ping",
    "handle_pong",
    "handshake_complete",
    "keepalive_timeout",
    "logger",
    "loop",
    "pause_writing",
    "pending_ping_payload",
    "pong_timer",
    "queue",
    "read_paused",
    "resume_writing",
    "run_asgi",
    "schedule_ping",
    "send_500_response",
    "send_keepalive_ping",
    "send_receive_event_to_app",
    "shutdown",
    "stop_keepalive",
    "transport",
    "writable",
)


def check_names() -> None:
    """Check that every undocumented name exists. Raises UpstreamChanged."""
    require_names("uvicorn", HttpToolsProtocol, *HTTP_PROTOCOL_NAMES)
    require_names(
        "uvicorn",
        RequestResponseCycle,
        "chunked_encoding",
        "disconnected",
        "expected_content_length",
        "keep_alive",
        "message_event",
        "response_complete",
        "response_started",
        "transport",
    )
    require_names("uvicorn", FlowControl, "pause_reading", "resume_reading", "write_paused")
    require_names("uvicorn", WebSocketsSansIOProtocol, *WEBSOCKET_PROTOCOL_NAMES)
    require_names("websockets", Protocol, "data_to_send", "parser", "send_close", "state")
    require_names("websockets", ServerProtocol, "close_sent")


check_names()
