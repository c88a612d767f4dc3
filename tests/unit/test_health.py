"""Probes of a process whose event loop is stuck."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from threading import Thread

from mediafleet_core.telemetry.health import Health
from mediafleet_core.telemetry.metrics import Address, MetricsPage
from tests.waiting import eventually


def status(page: MetricsPage, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://{page.address}/{path}", timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


async def test_a_stuck_event_loop_is_not_alive_though_its_page_answers() -> None:
    health = Health(patience=0.2)
    health.ready = True
    page = MetricsPage(Address("127.0.0.1", 0), health)
    try:

        async def all_well() -> bool:  # of a busy machine the loop may be late, too
            answers = [await asyncio.to_thread(status, page, path) for path in ("livez", "readyz", "metrics")]
            return answers == [200] * 3

        await eventually(all_well)
        answers: list[int] = []
        asking = Thread(target=lambda: answers.extend(status(page, path) for path in ("livez", "readyz", "metrics")))
        asking.start()
        while asking.is_alive():
            time.sleep(0.01)  # noqa: ASYNC251 - which is what sticks it
        assert answers == [503, 503, 200]
    finally:
        await asyncio.to_thread(page.close)
