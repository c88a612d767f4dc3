"""A running job: what it is about, where it stands, how long each stage took."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from mediafleet_core.media_types import declared_type
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.ports import Claim, StoredObject
from mediafleet_core.progress import Units, WorkProgress, whole_percent
from mediafleet_core.progress.estimate import Estimate, Paces
from mediafleet_core.progress.expected import STAGES, stage_seconds
from mediafleet_core.uploads import StageTiming, Upload
from mediafleet_workers import metrics


class Used(NamedTuple):
    """CPU in seconds, peak memory in bytes."""

    cpu_seconds: float
    peak_memory: int


class Job:
    """One attempt. `stored` names every key that it may have written; `last_put` may still be under way."""

    def __init__(self, claim: Claim, paces: Paces | None = None) -> None:
        """Nothing is done yet. `paces` are what the worker learned of its jobs, and learns of this one."""
        self.upload: Upload = claim.upload
        self.fence = claim.fence
        self.keys = UploadKeys(claim.upload.tenant, claim.upload.upload_id)
        self.stage_name = ""
        self.stored: list[str] = []
        self.last_put: asyncio.Task[StoredObject] | None = None
        self.timings: list[StageTiming] = []
        self._units = Units()
        spec = self.upload.spec
        expected = stage_seconds(
            self.upload.kind, declared_type(spec.content_type, spec.display_name), self.upload.committed_size
        )
        self._estimate = Estimate(expected, paces or Paces(), time.monotonic())
        self._used = Used(0.0, 0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Everything inside belongs to this stage of `expected.STAGES`; its time counts even if it fails."""
        self.stage_name, self._units = name, Units()
        self._used = Used(0.0, 0)
        began = time.monotonic()
        self._estimate.enter(name, began)
        try:
            yield
            self._estimate.leave(time.monotonic())
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

    def advance(self, fraction: float, units: Units, *, until: float = 0.0, seconds: float | None = None) -> None:
        """`fraction` (0 to 1) of the stage is done; `until` and `seconds` as `Estimate.advance` has them."""
        self._units = units
        self._estimate.advance(fraction, time.monotonic(), until=until, seconds=seconds)

    def progress(self, ahead: float = 0.0) -> WorkProgress:
        """Where the job is, and how far it will be in `ahead` seconds."""
        now = time.monotonic()
        left = self._estimate.remaining(now)
        told = msgspec.structs.asdict(self._units) | {"eta_seconds": None if left is None else round(left, 1)}
        percent = whole_percent(self._estimate.share(now, ahead))
        return WorkProgress(percent=percent, stage=self.stage_name or STAGES[0], **told)


class JobFolder:
    """The paths inside a job's folder."""

    def __init__(self, root: Path) -> None:
        """Makes the folder for renditions."""
        self.root = root
        self.original = root / "original"
        self.target = root / "renditions"
        self.target.mkdir()
