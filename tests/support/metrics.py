"""Metrics as a scrape shows them."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.support.service import Service


def samples_of(page: str) -> dict[str, float]:
    """The samples of a page by name and labels, the labels in alphabetical order."""
    return {
        _text(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


async def metrics_of(service: Service) -> dict[str, float]:
    """The samples of `/metrics`."""
    return samples_of((await service.http.get("/metrics")).text)


def _text(name: str, labels: dict[str, str]) -> str:
    inside = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{inside}}}" if labels else name
