"""Processes of watchers, as a benchmark steers them: each runs `benchmarks.watch_clients`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.servers import Server


class Clients:
    """Watchers that have had their first message; how many, who was refused, and after how many seconds."""

    def __init__(self, processes: Sequence[Process], opened: int, refused: Counter[str], seconds: float) -> None:
        self.opened, self.refused, self.seconds = opened, refused, seconds
        self._processes = processes

    async def collect(self, seconds: float) -> list[float]:
        """Milliseconds from the write to the client of all progress in so many seconds."""
        await self._tell()
        await asyncio.sleep(seconds)
        await self._tell()
        return [age / 1000 for process in self._processes for age in await _line(process)]

    def stop_reading(self) -> None:
        """SIGSTOP."""
        for process in self._processes:
            process.send_signal(signal.SIGSTOP)

    async def _tell(self) -> None:
        for process in self._processes:
            assert process.stdin
            process.stdin.write(b"\n")
            await process.stdin.drain()


async def _line(process: Process) -> Any:
    assert process.stdout
    return json.loads(await process.stdout.readline())


@asynccontextmanager
async def watchers(gateway: Server, ids: Sequence[str], connections: int, processes: int) -> AsyncIterator[Clients]:
    """One for each id, opened in one burst."""
    command = [sys.executable, "-m", "benchmarks.watch_clients", gateway.address, str(connections)]
    started: list[Process] = []
    try:
        for number in range(processes):
            arguments = [*command, *ids[number::processes]]
            started.append(await asyncio.create_subprocess_exec(*arguments, stdin=PIPE, stdout=PIPE, limit=1 << 26))
        told = [await _line(process) for process in started]
        refused = sum((Counter(each["refused"]) for each in told), Counter[str]())
        yield Clients(started, sum(each["opened"] for each in told), refused, max(each["seconds"] for each in told))
    finally:
        for process in started:
            process.kill()
            await process.wait()
