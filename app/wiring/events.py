"""Wiring of the outbox of events."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from ipaddress import ip_network

from app.config import Settings
from app.runtime import Runtime
from app.services.boards.compare_heads import CompareHeads
from app.services.catalogue.cache import CatalogueService
from app.services.jobs import Job
from app.services.outbox.recorder import EventRecorder
from app.services.outbox.sequence import EventRetention, EventSequence
from app.services.outbox.statistics import EventStatistics
from app.services.webhooks.deliver import MAX_CONCURRENT, EndpointDelivery
from app.services.webhooks.delivery_job import DeliverWebhooks
from app.services.webhooks.endpoints import Endpoints
from app.services.webhooks.send import AddressRules, EndpointClients
from app.wiring.stores import Stores


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
    statistics: EventStatistics
    attempts: Counter[tuple[str, str]]


def create_outbox(
    settings: Settings, stores: Stores, catalogue: CatalogueService, events: EventRecorder, runtime: Runtime
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
        EventStatistics(database, runtime),
        attempts,
    )


def jobs_of(outbox: Outbox) -> list[Job]:
    """Return the jobs of the outbox."""
    return [
        Job("compare_heads", 2, 60, outbox.compare_heads),
        Job("sequence_events", 0.5, 60, outbox.sequence),
        Job("event_retention", 3600, 60, outbox.retention),
        Job("event_statistics", 10, 60, outbox.statistics),
        Job("deliver_webhooks", 0.5, 600, outbox.deliver_webhooks),
    ]
