"""What one watcher was shown of each upload, and when."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from mediafleet import AsyncClient, UploadState
from mediafleet.progress import TERMINAL_STATES
from mediafleet.v1.uploads_pb2 import Progress, UploadEvent


class Shown(NamedTuple):
    """What came at a time, in seconds of the watcher's clock; `eta` in seconds, None for none."""

    at: float
    state: UploadState.ValueType
    percent: float
    eta: float | None
    bytes_done: int
    bytes_total: int


@dataclass
class Seen:
    """One upload."""

    name: str = ""
    shown: list[Shown] = field(default_factory=list)

    def first(self, state: UploadState.ValueType) -> float | None:
        """When it was first seen in this state."""
        return next((each.at for each in self.shown if each.state == state), None)

    @property
    def ended(self) -> bool:
        """Whether its end was seen."""
        return bool(self.shown) and self.shown[-1].state in TERMINAL_STATES

    @property
    def state(self) -> UploadState.ValueType:
        """The last that was seen."""
        return self.shown[-1].state

    def last_before(self, at: float) -> Shown:
        """What stood on the screen then."""
        return next(each for each in reversed(self.shown) if each.at <= at)


async def watch(client: AsyncClient, seen: dict[str, Seen], ready: asyncio.Event, min_interval: timedelta) -> None:
    """Fill `seen`, by upload id, until cancelled; `ready` once nothing that is sent from then on is missed."""
    async for event in client.watch_many(min_interval=min_interval):
        _take(event, seen, time.monotonic())
        if event.HasField("heartbeat"):
            ready.set()


def _take(event: UploadEvent, seen: dict[str, Seen], now: float) -> None:
    match event.WhichOneof("event"):
        case "snapshot":
            state, progress = event.snapshot.state, event.snapshot.progress
        case "state_changed":
            state, progress = event.state_changed.state, event.state_changed.progress
        case "progress":
            state, progress = seen[event.upload_id].state, event.progress
        case _:
            return
    upload = seen.setdefault(event.upload_id, Seen())
    if event.HasField("state_changed") and event.state_changed.HasField("upload"):
        upload.name = event.state_changed.upload.display_name
    upload.shown.append(_shown(now, state, progress))


def _shown(now: float, state: UploadState.ValueType, progress: Progress) -> Shown:
    eta = progress.eta.ToTimedelta().total_seconds() if progress.HasField("eta") else None
    return Shown(now, state, progress.percent, eta, progress.bytes_done, progress.bytes_total)
