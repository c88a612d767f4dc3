"""How receiving ends, whichever way the bytes came: queued, or rejected with nothing left in storage."""

from __future__ import annotations

import structlog

from mediafleet_core import cleanup
from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.failures import FailureCode
from mediafleet_core.intake.works import Works
from mediafleet_core.ports import Original
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import Checksums, Upload

_log = structlog.get_logger(__name__)


class Ending:
    """The end of one upload's receiving, under one fence."""

    def __init__(self, works: Works, upload: Upload, fence: int, limits: Limits) -> None:
        self._works, self._ledger = works, works.ledger
        self._upload, self._fence, self._limits = upload, fence, limits
        self._id = upload.upload_id

    async def checked(self, whole: int, checksums: Checksums) -> str | None:
        """Fail the upload if a declared checksum is wrong; returns the SHA-256 that the worker shall verify.

        `whole` is the CRC32C of all bytes, `checksums` what was declared at the end. Raises OBJECT_CHECKSUM_MISMATCH.
        """
        declared = self._upload.spec.checksums
        if any(expected not in (None, whole) for expected in (declared.crc32c, checksums.crc32c)):
            problem = f"the CRC32C of the received bytes is {whole:08x}"
        elif declared.sha256 and checksums.sha256 and declared.sha256 != checksums.sha256:
            problem = "two different SHA-256 were declared"
        else:
            return checksums.sha256 or declared.sha256
        await self.reject(FailureCode.OBJECT_CHECKSUM_MISMATCH, problem)
        raise MediafleetError(Reason.OBJECT_CHECKSUM_MISMATCH, problem, metadata={"uploadId": self._id})

    async def queue(self, original: Original) -> Upload:
        """The upload, waiting for a worker. Raises CONCURRENT_WRITER, UPLOAD_CANCELLED, QUOTA_EXCEEDED."""
        upload = await self._ledger.finish(
            self._id, self._fence, original, limits=self._limits, max_attempts=self._works.settings.max_attempts
        )
        self._works.queue.ring(upload.kind)
        return upload

    async def explained(self, error: MediafleetError) -> MediafleetError:
        """Why stored bytes are gone: the upload ended or another writer went on; if neither, it has FAILED now."""
        if error.reason is Reason.ORIGINAL_MISSING:
            try:
                await self._ledger.writes(self._id, self._fence)
            except MediafleetError as reason:
                return reason
            await self.reject(FailureCode.ORIGINAL_MISSING, "the storage dropped what was received so far")
        return error

    async def reject(self, code: FailureCode, detail: str) -> None:
        """Fail the upload and remove what is stored of it."""
        await self._ledger.reject(self._id, self._fence, code, detail)
        await cleanup.sweep_upload(self._works.store, self._ledger, self._id)
