"""Wiring of the outbox of events."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from ipaddress import ip_network

from app.config import Settings, SettingsError
from app.runtime import Runtime
from app.services.boards.compare_heads import CompareHeads
from app.services.catalogue.cache import CatalogueService
from app.services.jobs import Job
from app.services.outbox.recorder import EventRecorder
from app.services.outbox.retention import EventRetention
from app.services.outbox.sequence import EventSequence
from app.services.outbox.statistics import EventStatistics
from app.services.streams.nats_stream import NatsStream
from app.services.streams.publish import PublishEvents
from app.services.streams.redis_stream import RedisStream
from app.services.streams.stream import EventStream
from app.services.webhooks.deliver import MAX_CONCURRENT, EndpointDelivery
from app.services.webhooks.delivery_job import DeliverWebhooks
from app.services.webhooks.endpoints import Endpoints
from app.services.webhooks.send import AddressRules, EndpointClients
from app.stores.redis_clients import open_client
from app.wiring.stores import Stores

STREAM_TIMEOUT = 5.0
"""Seconds that a call of the server of a stream may take."""


@dataclass(frozen=True, slots=True)
class Outbox:
    """The outbox: its jobs, its consumers and their administration.

    Attributes:
        attempts: Counts attempts to deliver a webhook, by endpoint and outcome.
    """

    sequence: EventSequence
    compare_heads: CompareHeads
    retention: EventRetention
    endpoints: Endpoints
    deliver_webhooks: DeliverWebhooks
    publish: PublishEvents
    statistics: EventStatistics
    attempts: Counter[tuple[str, str]]


def create_outbox(
    settings: Settings,
    stores: Stores,
    catalogue: CatalogueService,
    events: EventRecorder,
    runtime: Runtime,
    stack: AsyncExitStack,
) -> Outbox:
    """Create the outbox; nothing is delivered yet."""
    database = stores.database
    networks = [ip_network(one, strict=False) for one in settings.webhook_private_networks]
    rules = AddressRules(networks)
    attempts: Counter[tuple[str, str]] = Counter()
    clients = EndpointClients(rules, runtime, timeout=settings.webhook_timeout, max_connections=MAX_CONCURRENT)
    delivery = EndpointDelivery(database, clients.open, settings.event_source, attempts, runtime)
    return Outbox(
        EventSequence(database),
        CompareHeads(database, catalogue, events, stores.server_clock),
        EventRetention(database, settings.event_retention_days),
        Endpoints(database, events.types, runtime, encrypted_only=settings.is_production and not networks),
        DeliverWebhooks(database, delivery, runtime),
        PublishEvents(database, _streams_of(settings, stack)),
        EventStatistics(database, runtime),
        attempts,
    )


def _streams_of(settings: Settings, stack: AsyncExitStack) -> list[EventStream]:
    streams: list[EventStream] = []
    if settings.event_redis_url:
        redis = open_client(settings.event_redis_url, cluster=False, timeout=STREAM_TIMEOUT)
        stack.push_async_callback(redis.aclose)
        streams.append(
            RedisStream(
                redis,
                settings.event_redis_stream,
                settings.event_source,
                max_length=settings.event_redis_max_length,
            )
        )
    if settings.event_nats_url:
        if find_spec("nats") is None:
            raise SettingsError(["EVENT_NATS_URL needs the extra `nats`: pip install 'leaderboard[nats]'"])
        streams.append(
            NatsStream(
                settings.event_nats_url, settings.event_nats_subject, settings.event_source, timeout=STREAM_TIMEOUT
            )
        )
    for stream in streams:
        stack.push_async_callback(stream.aclose)
    return streams


def jobs_of(outbox: Outbox) -> list[Job]:
    """Return the jobs of the outbox."""
    return [
        Job("compare_heads", 2, 60, outbox.compare_heads),
        Job("sequence_events", 0.5, 60, outbox.sequence),
        Job("event_retention", 3600, 60, outbox.retention),
        Job("event_statistics", 10, 60, outbox.statistics),
        Job("deliver_webhooks", 0.5, 600, outbox.deliver_webhooks),
        Job("publish_events", 0.5, 300, outbox.publish),
    ]
