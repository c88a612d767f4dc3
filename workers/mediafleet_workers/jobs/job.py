"""A running job: what it is about, where it stands, how long each stage took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.ports import Claim, StoredObject
from mediafleet_core.progress import MOST_BEFORE_TERMINAL, RECEIVED_PERCENT, WorkProgress, work_percent
from mediafleet_core.uploads import StageTiming, Upload
from mediafleet_workers import metrics

_EARLY = 5.0
"""Percent of work before which a guess of the remaining time would be noise."""


class Used(NamedTuple):
    """CPU in seconds, peak memory in bytes."""

    cpu_seconds: float
    peak_memory: int


class Job:
    """One attempt. `stored` names every key that it may have written; `last_put` may still be under way."""

    def __init__(self, claim: Claim) -> None:
        """Nothing is done yet."""
        self.upload: Upload = claim.upload
        self.fence = claim.fence
        self.keys = UploadKeys(claim.upload.tenant, claim.upload.upload_id)
        self.stage_name = ""
        self.stored: list[str] = []
        self.last_put: asyncio.Task[StoredObject] | None = None
        self.timings: list[StageTiming] = []
        self.progress: WorkProgress | None = None
        self._started = time.monotonic()
        self._used = Used(0.0, 0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Everything inside belongs to this stage of `progress.STAGES`; its time counts even if it fails."""
        self.stage_name = name
        self.advance(0.0)
        self._used = Used(0.0, 0)
        began = time.monotonic()
        try:
            yield
        finally:
            seconds = time.monotonic() - began
            cpu, memory = self._used
            self.timings.append(
                StageTiming(stage=name, seconds=round(seconds, 6), cpu_seconds=round(cpu, 6), peak_memory=memory)
            )
            metrics.DURATION.labels(self.upload.kind, name).observe(seconds)

    def use(self, cpu_seconds: float, peak_memory: int) -> None:
        """The stage's child used this: seconds, and bytes."""
        self._used = Used(cpu_seconds, peak_memory)
        metrics.CPU.labels(self.upload.kind).observe(cpu_seconds)
        metrics.PEAK_MEMORY.labels(self.upload.kind).observe(peak_memory)

    def advance(
        self,
        fraction: float,
        *,
        step: str = "",
        bytes_done: int = 0,
        bytes_total: int | None = None,
        items_done: int = 0,
        items_total: int = 0,
    ) -> None:
        """`fraction` (0 to 1) of the stage is done; the lease keeper ships the latest."""
        percent = work_percent(self.stage_name, fraction)
        self.progress = WorkProgress(
            percent=percent,
            stage=self.stage_name,
            step=step,
            bytes_done=bytes_done,
            bytes_total=bytes_total,
            items_done=items_done,
            items_total=items_total,
            eta_seconds=self._remaining(percent),
        )

    def _remaining(self, percent: float) -> float | None:
        done = percent - RECEIVED_PERCENT
        if done < _EARLY:
            return None
        return round((time.monotonic() - self._started) * (MOST_BEFORE_TERMINAL - percent) / done, 1)


class JobFolder:
    """The paths inside a job's folder."""

    def __init__(self, root: Path) -> None:
        """Makes the folder for renditions."""
        self.root = root
        self.original = root / "original"
        self.target = root / "renditions"
        self.target.mkdir()
