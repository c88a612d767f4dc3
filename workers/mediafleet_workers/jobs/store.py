"""The third stage: renditions, from scratch to storage, below the prefix of this attempt's fence."""

from __future__ import annotations

import asyncio
import hashlib
import re
import stat
from pathlib import Path

from mediafleet_core.failures import FailureCode, ProcessingError
from mediafleet_core.ports import ObjectStore
from mediafleet_core.progress import Units
from mediafleet_core.uploads import Rendition
from mediafleet_workers.jobs.job import Job
from mediafleet_workers.pipeline.job import PipelineResult, RenditionFile

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_CONTENT_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]{1,80}")

_PUT = 64 << 10
"""Bytes that could be sent in the time that a put takes besides its bytes, about."""


async def store_renditions(job: Job, store: ObjectStore, target: Path, result: PipelineResult) -> tuple[Rendition, ...]:
    """Every rendition, stored and measured. What a child names is checked, for it decoded somebody's file."""
    renditions = []
    sizes = [await asyncio.to_thread(_checked_size, made, target / made.file_name) for made in result.renditions]
    weight = sum(sizes) + _PUT * len(sizes)
    done = 0
    for number, (made, size) in enumerate(zip(result.renditions, sizes, strict=True)):
        units = Units(bytes_done=done, bytes_total=sum(sizes), items_done=number, items_total=len(sizes))
        before, done = (done + _PUT * number) / weight, done + size
        job.advance(before, units, until=(done + _PUT * (number + 1)) / weight)
        path = target / made.file_name
        key = job.keys.rendition(job.fence, made.name, path.suffix)
        job.stored.append(key)
        job.last_put = asyncio.create_task(store.put_file(key, path, content_type=made.content_type))
        await asyncio.shield(job.last_put)  # a job that is stopped here ends at once, and what it stores is discarded
        renditions.append(
            Rendition(
                name=made.name,
                key=key,
                content_type=made.content_type,
                size_bytes=size,
                sha256=await asyncio.to_thread(_sha256, path),
                width=made.width,
                height=made.height,
            )
        )
    return tuple(renditions)


def _checked_size(made: RenditionFile, path: Path) -> int:
    named = _NAME.fullmatch(made.name) and _FILE_NAME.fullmatch(made.file_name)
    if not named or not _CONTENT_TYPE.fullmatch(made.content_type):
        raise ProcessingError(FailureCode.WORKER_CRASHED, evidence="a rendition's name or type is malformed")
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        raise ProcessingError(FailureCode.WORKER_CRASHED, evidence="a rendition is no plain file")
    return status.st_size


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
