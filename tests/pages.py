"""Metrics pages, read as Prometheus reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from mediafleet_core.telemetry.metrics import Address

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """Of one sample."""
    return name, frozenset(labels.items())


def fetched(url: str) -> Samples:
    """Every sample of a page."""
    with urlopen(url, timeout=30) as page:
        text = str(page.read(), "utf-8")
    return {
        key(sample.name, **sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def page(address: Address | None) -> Samples:
    """Every sample of the page there, while this process may be the one that serves it."""
    return await asyncio.to_thread(fetched, f"http://{address}/metrics")
