"""Metrics of live updates: feeds, channels between processes, subscriptions, sockets and streams."""

from __future__ import annotations

from collections.abc import Sequence

from app.telemetry.metrics.registry import Metric, counter, gauge, histogram
from app.transport.routes.metrics.sources import Sources
from app.transport.sockets.connections import Connections
from app.wiring import App


def live_metrics(sources: Sources) -> Sequence[Metric]:
    """Return the metrics of live updates."""
    shared = sources.multiplexer
    return [
        histogram(
            "watcher_lag_seconds",
            "Time from a change of the head of a board, right after its commit, until it is written to a watcher; once "
            "for each message. Of changes that one message reports, the first one counts.",
            lambda: shared.counters.lag,
        ),
        *_board_metrics(sources.app),
        *_channel_metrics(sources.app),
        gauge("subscription_groups", "Executions that several subscribers share.", lambda: shared.groups),
        gauge("subscription_group_subscribers", "Subscribers of shared executions.", lambda: shared.counters.members),
        counter(
            "frames_superseded",
            "Messages to slow consumers that were replaced by newer ones.",
            lambda: shared.counters.superseded,
        ),
        gauge("streams", "Open subscriptions over plain HTTP.", lambda: sources.streams.open),
        *_socket_metrics(sources.connections),
    ]


def _board_metrics(app: App) -> Sequence[Metric]:
    counters, budget = app.hub.counters, app.hub.budget
    return [
        gauge("feeds", "Boards with a feed in this process.", lambda: app.hub.feeds),
        gauge("watchers", "Open subscriptions to boards, users and milestones.", lambda: app.hub.watchers),
        counter("board_reads", "Reads of the heads of boards by feeds.", lambda: counters.reads),
        counter("board_view_reads", "Reads of views beyond the head, a slice each.", lambda: counters.view_reads),
        counter(
            "board_store_reads",
            "Reads of boards by the store that had to answer: `redis`, or `postgres` where Redis cannot.",
            lambda: {(store,): app.board_reader.reads[store] for store in ("redis", "postgres")},
            "store",
        ),
        gauge("board_views", "Subscriptions to views beyond the head.", lambda: len(budget)),
        counter(
            "board_views_dropped",
            "Views that were ended in favour of less expensive ones.",
            lambda: budget.dropped,
        ),
        counter("board_polls", "Checks of the version of a board by feeds.", lambda: counters.polls),
        counter("board_read_failures", "Reads that neither store answered.", lambda: counters.failures),
        counter("board_change_notifications", "Change notifications of boards.", lambda: counters.notifications),
        counter(
            "board_change_gaps",
            "Times at which change notifications may have been lost.",
            lambda: counters.gaps,
        ),
    ]


def _channel_metrics(app: App) -> Sequence[Metric]:
    backend, notices, counters = app.backend, app.notices, app.hub.counters
    return [
        counter("channel_messages_received", "Messages that Redis delivered.", lambda: backend.received),
        counter(
            "channel_messages_published",
            "Messages that this process published; change notifications are published by scripts in Redis.",
            lambda: backend.published,
        ),
        counter(
            "channel_messages_unreadable",
            "Change notifications that could not be decoded.",
            lambda: counters.unreadable,
        ),
        counter(
            "channel_gaps",
            "Times at which messages of a channel may have been lost, its first subscription included.",
            lambda: backend.gaps,
        ),
        counter(
            "channel_overflows",
            "Times at which waiting messages were discarded, as they arrived faster than they were processed.",
            lambda: backend.overflows,
        ),
        counter("channel_outages", "Lost connections of the channels.", lambda: backend.outages),
        counter("notices_received", "Notices that were received and decoded.", lambda: notices.received),
        counter("notices_unreadable", "Notices that could not be decoded.", lambda: notices.unreadable),
        counter(
            "notices_lost",
            "How often notices may have been lost, so that all caches were invalidated.",
            lambda: notices.losses,
        ),
    ]


def _socket_metrics(connections: Connections) -> Sequence[Metric]:
    traffic = connections.traffic
    return [
        gauge("sockets", "Open sockets.", lambda: len(connections)),
        gauge("socket_limit", "Sockets that a process may have open.", lambda: connections.limits.max_sockets),
        gauge("socket_operations", "Operations on open sockets.", lambda: connections.operations),
        counter("sockets_opened", "Sockets that were accepted.", lambda: connections.opened),
        counter(
            "sockets_closed",
            "Closed sockets by the code the server closed them with; 0 when the client left.",
            lambda: {(str(int(code or 0)),): number for code, number in connections.closed.items()},
            "code",
        ),
        counter(
            "sockets_stalled", "Sockets that were closed because the client did not read.", lambda: traffic.stalled
        ),
        counter("socket_messages_received", "Messages that clients sent.", lambda: traffic.received),
        counter("socket_messages_sent", "Messages that were written to sockets.", lambda: traffic.sent),
        counter("socket_sent_bytes", "Bytes of these messages.", lambda: traffic.sent_bytes),
    ]
