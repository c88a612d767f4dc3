"""A fleet to break: a dev server before a Prometheus with divided rules, and callers who go on as if nothing were."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

from benchmarks.drills.scaling import scaled_rules
from benchmarks.observed.fleet import FLAGS, JOBS
from deploy.grafana.drawing.prometheus import Prometheus
from mediafleet import AsyncClient, MediafleetError
from tests.e2e.dev_server import DevServerProcess, dev_server
from tests.prometheus import prometheus, scrapes
from tests.waiting import eventually

CALLERS: Final = 6
SETTINGS: Final = {
    "PYTHONPATH": str(Path(__file__).parents[2]),
    "MEDIAFLEET_WORKER_PLUGINS": "tests.poison",
    # Divided as the rules are: the pace of the figures, and how long a leader may be silent.
    "MEDIAFLEET_FIGURES_INTERVAL": "PT0.5S",
    "MEDIAFLEET_HOUSEKEEPING_INTERVAL": "PT0.2S",
    "MEDIAFLEET_HOUSEKEEPING_LEASE": "PT1S",
    "MEDIAFLEET_JOB_TIME": "PT5S",
    "MEDIAFLEET_RETRY_FIRST": "PT0.1S",
    "MEDIAFLEET_RETRY_MOST": "PT0.5S",
}


class Fleet:
    """What drills do to it, and see of it."""

    def __init__(self, server: DevServerProcess, asked: Prometheus) -> None:
        self.server = server
        self.prometheus = asked
        self._frozen: list[int] = []

    def client(self, token: str = "token", timeout: float = 5) -> AsyncClient:
        """Of the dev server's first tenant, or as `endpoints.json` names tokens."""
        endpoints = self.server.endpoints
        return AsyncClient(targets=endpoints["gateways"], token=endpoints[token], timeout=timeout)

    def environment(self) -> dict[str, str]:
        """For commands: where the fleet is, and an administrator's token."""
        endpoints = self.server.endpoints
        return {
            "MEDIAFLEET_ENDPOINT": ",".join(endpoints["gateways"]),
            "MEDIAFLEET_TOKEN": endpoints["admin_token"],
        }

    def freeze(self, pid: int) -> None:
        """SIGSTOP, until `thaw`."""
        os.kill(pid, signal.SIGSTOP)
        self._frozen.append(pid)

    def thaw(self) -> None:
        """SIGCONT to all that was frozen."""
        while self._frozen:
            with suppress(ProcessLookupError):
                os.kill(self._frozen.pop(), signal.SIGCONT)

    def kill_for_good(self, beginning: str) -> None:
        """SIGKILL to every child whose name begins so; the dev server is frozen, so that it starts no other."""
        pids = [pid for name, pid in self.server.pids.items() if name.startswith(beginning)]
        self.freeze(self.server.process.pid)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def plan_faults(self, faults: Sequence[dict[str, Any]]) -> None:
        """From now on the storage has these troubles and no others."""
        url = f"{self.server.endpoints['storage']}/_faults"
        urlopen(Request(url, json.dumps(faults).encode(), method="PUT")).close()

    def firing(self) -> set[str]:
        """Names of the alerts that fire now."""
        return {each.labels["alertname"] for each in self.prometheus.at('ALERTS{alertstate="firing"}')}

    def fired(self, start: float, end: float) -> set[str]:
        """Names of those that fired at any time."""
        found = self.prometheus.over('ALERTS{alertstate="firing"}', start, end, 1)
        return {each.labels["alertname"] for each in found}


@asynccontextmanager
async def fleet(folder: Path) -> AsyncIterator[Fleet]:
    """Works, has served callers for a while, and no alert fires."""
    with (
        dev_server(folder / "data", *FLAGS, environment=SETTINGS) as server,
        prometheus(folder / "prometheus", scrapes(server.endpoints, JOBS), scaled_rules(folder / "rules")) as asked,
    ):
        drilled = Fleet(server, asked)
        callers = [asyncio.create_task(_call(drilled, number)) for number in range(CALLERS)]
        try:
            await eventually(lambda: _in_order(drilled), 60, "calls that are counted, and no alert")
            yield drilled
        finally:
            drilled.thaw()
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)


async def _in_order(drilled: Fleet) -> bool:
    # While it starts the figures of the queues are absent, which at this pace is an alert after three seconds.
    finished = 'sum(increase(mediafleet_jobs_finished_total{outcome="succeeded"}[10s])) > 5'
    return bool(drilled.prometheus.at(finished)) and not drilled.firing()


async def _call(drilled: Fleet, number: int) -> None:
    """Upload words or a line that claims to be a picture, look at it; whatever happens, again."""
    async with drilled.client() as client:
        sent = 0
        while True:
            sent += 1
            with suppress(MediafleetError, TimeoutError):
                content = f"POISON:none\n{number}/{sent}".encode()
                upload = await client.upload(content, display_name="a.jpg" if number % 2 else "a.txt", timeout=5)
                await client.get(upload.upload_id)
            await asyncio.sleep(0.5)
