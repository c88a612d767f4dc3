"""The first stage: the original, from storage to scratch, proven to be what was stored and what was declared."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import aclosing
from pathlib import Path

import google_crc32c

from mediafleet_core.failures import FailureCode, ProcessingError
from mediafleet_core.ports import ObjectStore
from mediafleet_core.progress import Units
from mediafleet_core.uploads import Checksums
from mediafleet_workers.jobs.job import Job


async def fetch(job: Job, store: ObjectStore, path: Path) -> Checksums:
    """Write the original to `path`; returns its checksums.

    Raises STORED_OBJECT_CORRUPT if it is not what the record says, OBJECT_CHECKSUM_MISMATCH if it is not what the
    caller declared.
    """
    upload = job.upload
    sha256, crc32c, size = hashlib.sha256(), 0, 0
    total = upload.committed_size

    with path.open("wb") as file:

        def take(chunk: bytes) -> None:
            nonlocal crc32c
            file.write(chunk)
            sha256.update(chunk)
            crc32c = google_crc32c.extend(crc32c, chunk)

        async with aclosing(store.read(upload.original_key)) as chunks:
            async for chunk in chunks:
                await asyncio.to_thread(take, chunk)
                size += len(chunk)
                job.advance(size / total if total else 1.0, Units(bytes_done=size, bytes_total=total))
    found = Checksums(crc32c=crc32c, sha256=sha256.hexdigest())
    if size != total or upload.checksums.crc32c not in (None, found.crc32c):
        raise ProcessingError(
            FailureCode.STORED_OBJECT_CORRUPT, evidence=f"{size} of {total} bytes, CRC32C {found.crc32c:#010x}"
        )
    # Declared at creation, or with the finish; the record has it until the commit.
    if not {upload.spec.checksums.sha256, upload.checksums.sha256} <= {None, found.sha256}:
        raise ProcessingError(
            FailureCode.OBJECT_CHECKSUM_MISMATCH, f"The SHA-256 of the received bytes is {found.sha256}."
        )
    if upload.spec.checksums.crc32c not in (None, found.crc32c):  # of an import, whose bytes nobody has seen before
        raise ProcessingError(
            FailureCode.OBJECT_CHECKSUM_MISMATCH, f"The CRC32C of the received bytes is {found.crc32c:08x}."
        )
    return found
