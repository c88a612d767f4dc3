"""Steps of work: claim, renew, commit, and the ends of an attempt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from mediafleet_core.failures import Failure
from mediafleet_core.identity import UploadId
from mediafleet_core.ledger import records
from mediafleet_core.ledger.base import LedgerBase, milliseconds, new_op
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import AttemptFailed, Claim, Outcome, Verdict
from mediafleet_core.progress import WorkProgress
from mediafleet_core.uploads import StageTiming, Upload


class WorkSteps(LedgerBase):
    """How work is done once; see `ports.Ledger` for what each step promises."""

    async def claim(
        self, kinds: Sequence[MediaKind], worker: str, lease: timedelta, *, op: str | None = None
    ) -> Claim | None:
        """QUEUED -> PROCESSING for the upload whose turn it is, of the first of `kinds` with any for a worker."""
        reply = await self._connection.run(
            "claim", kinds=list(kinds), worker=worker, lease=milliseconds(lease), op=op or new_op()
        )
        if reply.status == "NOTHING":
            return None
        fence, waited, more = msgspec.json.decode(reply.detail, type=tuple[int, int, bool])
        return Claim(self._upload(reply), fence, timedelta(milliseconds=waited), more)

    async def renew(
        self, upload_id: UploadId, fence: int, lease: timedelta, progress: WorkProgress | None = None
    ) -> Verdict:
        """Extend the lease; set the latest progress."""
        now = {}
        if progress is not None:
            units = msgspec.structs.asdict(progress)
            now = {"percent": units.pop("percent"), "stage": units.pop("stage"), "units": records.to_json(units)}
        reply = await self._connection.run("renew", id=upload_id, fence=fence, lease=milliseconds(lease), **now)
        return Verdict(reply.status)

    async def commit(
        self, upload_id: UploadId, fence: int, outcome: Outcome, *, op: str | None = None
    ) -> Upload | None:
        """PROCESSING -> SUCCEEDED under this fence."""
        reply = await self._connection.run(
            "commit",
            id=upload_id,
            fence=fence,
            kind=outcome.kind,
            content_type=outcome.content_type,
            sha256=outcome.checksums.sha256 or "",
            crc32c=outcome.checksums.crc32c,
            renditions=records.to_json(outcome.renditions),
            media_info=records.to_json(outcome.media_info) if outcome.media_info else "",
            timings=outcome.timings,
            size=sum(rendition.size_bytes for rendition in outcome.renditions),
            objects=len(outcome.renditions),
            op=op or new_op(),
        )
        return None if reply.status == "LOST" else self._upload(reply)

    async def fail_attempt(
        self, upload_id: UploadId, fence: int, failed: AttemptFailed, *, op: str | None = None
    ) -> Upload | None:
        """A retry is due later, or the upload FAILED; CANCELLING -> CANCELLED."""
        reply = await self._connection.run(
            "fail_attempt",
            id=upload_id,
            fence=fence,
            stage=failed.stage,
            record=records.to_json(failed.record),
            failure=records.to_json(Failure(code=failed.code, stage=failed.stage, detail=failed.detail)),
            attempts=failed.attempts,
            backoff=milliseconds(failed.backoff),
            discard=failed.discard_original or None,
            timings=failed.timings,
            op=op or new_op(),
        )
        return None if reply.status == "LOST" else self._upload(reply)

    async def release(
        self, upload_id: UploadId, fence: int, timings: Sequence[StageTiming] = (), *, op: str | None = None
    ) -> Upload | None:
        """Give the job back without counting an attempt."""
        reply = await self._connection.run("release", id=upload_id, fence=fence, timings=timings, op=op or new_op())
        return None if reply.status == "LOST" else self._upload(reply)

    async def lose(
        self,
        upload_id: UploadId,
        fence: int,
        timings: Sequence[StageTiming],
        backoff: timedelta,
        *,
        op: str | None = None,
    ) -> Upload | None:
        """Give a job back that was lost with its sandbox."""
        reply = await self._connection.run(
            "lose",
            id=upload_id,
            fence=fence,
            timings=timings,
            backoff=milliseconds(backoff),
            lost=records.lost_attempt(),
            op=op or new_op(),
        )
        return None if reply.status == "LOST" else self._upload(reply)
