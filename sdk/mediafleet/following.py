"""How the client follows uploads."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta

from mediafleet.arguments import checked
from mediafleet.errors import NotFound
from mediafleet.progress import Callback, Report, applied, is_last
from mediafleet.records import RecordCalls
from mediafleet.spans import duration, within
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.watching import resumed


class FollowingCalls(RecordCalls):
    """Of `AsyncClient`: `watch`, `watch_many` and `wait`."""

    @checked
    async def watch(
        self, upload_id: str, *, after_cursor: str = "", min_interval: timedelta | None = None
    ) -> AsyncGenerator[pb.UploadEvent, None]:
        """Events of one upload: a snapshot, changes of state, progress; ends after the terminal state or `deleted`.

        `event.WhichOneof("event")` names what an event holds: `snapshot` (an `Upload`), `state_changed` (with `state`
        and, if that is in `TERMINAL_STATES`, the `upload`), `progress` (with `percent`, `stage`, `step`) or `deleted`.
        `after_cursor` is the `cursor` of an event seen before; `min_interval` the least time between two of progress.
        """
        request = pb.WatchUploadRequest(
            upload_id=upload_id, after_cursor=after_cursor, min_interval=duration(min_interval)
        )
        events = resumed(self._gateways, pb.UploadEvent, lambda gateway: gateway.uploads.WatchUpload, request)
        async with aclosing(events):
            async for event in events:
                if not event.HasField("heartbeat"):
                    yield event
                if is_last(event):
                    return

    @checked
    async def watch_many(
        self,
        filter: pb.UploadFilter | None = None,  # noqa: A002 - the contract's name
        *,
        after_cursor: str = "",
        min_interval: timedelta | None = None,
        all_tenants: bool = False,
    ) -> AsyncGenerator[pb.UploadEvent, None]:
        """Events of all uploads that match, those to come included, until the caller ends it.

        `filter` may name kinds, a collection, a batch, and states, which choose among events. With `all_tenants`, for
        which the scope `admin` is needed, uploads of every tenant; `event.tenant` tells whose.
        `event.WhichOneof("event")` is as in `watch`, or `heartbeat`. Snapshots come first and the first heartbeat ends
        them; each heartbeat carries a cursor worth keeping.
        """
        request = pb.WatchUploadsRequest(
            filter=filter, after_cursor=after_cursor, min_interval=duration(min_interval), all_tenants=all_tenants
        )
        events = resumed(self._gateways, pb.UploadEvent, lambda gateway: gateway.uploads.WatchUploads, request)
        async with aclosing(events):
            async for event in events:
                yield event

    @checked
    async def wait(
        self, upload_id: str, *, progress: Callback | None = None, timeout: float | None = None
    ) -> pb.Upload:
        """The terminal upload, whatever its state; NotFound if it is deleted meanwhile."""
        async with within(timeout):
            upload = await self.get(upload_id)
            return await self._terminal(upload, Report(progress, upload.size_bytes))

    async def _terminal(self, upload: pb.Upload, report: Report) -> pb.Upload:
        async with aclosing(self.watch(upload.upload_id)) as events:
            async for event in events:
                upload = applied(event, upload)
                if event.HasField("deleted"):
                    raise NotFound("the upload was deleted while it was waited for", reason="UPLOAD_NOT_FOUND")
                report.heard(upload)
        return upload
