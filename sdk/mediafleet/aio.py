"""The asynchronous client."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, aclosing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal, Self, TypeAlias

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from mediafleet.batches import AsyncBatches
from mediafleet.errors import FailedPrecondition, MediafleetError, NotFound
from mediafleet.gateways import Gateways, Token
from mediafleet.imports import AsyncImports
from mediafleet.many import AT_ONCE, RetryOutcome, UploadOutcome, each, in_parallel
from mediafleet.notifications import AsyncNotifications, timestamp
from mediafleet.paths import path_within
from mediafleet.progress import Callback, Report, UploadProgress, applied, is_last
from mediafleet.resuming import NOTHING, Known, send_resuming
from mediafleet.sending import send
from mediafleet.sources import FileChanged, Readable, open_source
from mediafleet.spans import duration, within
from mediafleet.threads import on_own_thread
from mediafleet.v1 import fleet_pb2, usage_pb2
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.watching import resumed

Granularity: TypeAlias = Literal["hour", "day", "month"]
Transfer: TypeAlias = Literal["auto", "stream", "direct"]

_TRANSFERS: Mapping[Transfer, pb.Transfer.ValueType] = {
    "auto": pb.TRANSFER_UNSPECIFIED,
    "stream": pb.TRANSFER_STREAM,
    "direct": pb.TRANSFER_DIRECT,
}

_PAGE = 200
"""Uploads listed at a time, few enough that a gateway serves others soon."""


class AsyncClient:
    """Sends files in and tells what becomes of them.

    Calls survive the loss of a connection or a gateway: they are made again, and uploads and watches go on where they
    were. `timeout` is the seconds that one try may take, and that trouble without any progress is borne, before the
    call fails. Failures raise a `MediafleetError`. Answers are the messages of `mediafleet.v1`. To be used within one
    event loop, best as `async with AsyncClient(...) as client`. `batches` groups uploads, `imports`
    takes objects of the bucket; see `AsyncBatches`, `AsyncImports`.
    """

    def __init__(
        self,
        target: str = "",
        *,
        targets: Sequence[str] = (),
        token: Token = "",
        timeout: float = 60.0,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        """Names one gateway, or several of which the next is taken when one is away.

        A target is `host:port`, or `https://host:port` for TLS with the system's certificates; `credentials` bring
        others. `token` may be a function that gives a fresh one for each call. Nothing connects yet.
        """
        self._gateways = Gateways([target, *targets] if target else targets, token, timeout, credentials)
        self.batches = AsyncBatches(self._gateways)
        self.imports = AsyncImports(self._gateways)
        self.notifications = AsyncNotifications(self._gateways)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends every call and connection."""
        await self._gateways.close()

    @property
    def target(self) -> str:
        """The gateway that is talked to now, as it was named."""
        return self._gateways.target

    async def upload(
        self,
        source: Readable,
        *,
        display_name: str = "",
        path: str = "",
        content_type: str = "",
        collection: str = "",
        caption: str = "",
        labels: Mapping[str, str] | None = None,
        batch_id: str = "",
        transfer: Transfer = "auto",
        request_id: str = "",
        resume: bool = False,
        progress: Callback | None = None,
        wait: bool = False,
        timeout: float | None = None,
    ) -> pb.Upload:
        """Sends a file and returns its upload, durable and queued.

        `source` is a path, a binary file object, bytes, or an asynchronous iterable of bytes. Of pipes and iterables at
        most about 32 MiB are kept, until they are durable; they wait while storage is slower than they are.

        `path` tells people where the caller has the file. `transfer` is the way of the bytes: "stream" through the
        gateway, "direct" to the object storage by signed URLs, or "auto": direct for files above 64 MiB, where the
        storage can sign.

        With `wait` it returns the terminal upload, whatever its state. `progress` is called with `UploadProgress`, on
        the loop; what it raises ends the call. `timeout` bounds the whole, in seconds. The `request_id` of an upload
        that broke off goes on with it, in another process too, where file and arguments are the same. With `resume` the
        client makes such a name by itself, from a path's file as it is now (size, time of change) and the arguments:
        an interrupted upload is continued, and one that has arrived is returned if it holds the same bytes.
        """
        if resume and (request_id or not isinstance(source, str | os.PathLike)):
            raise TypeError("`resume` needs a path, and no `request_id`")
        spec = pb.UploadSpec(
            display_name=display_name,
            path=path,
            content_type=content_type,
            collection=collection,
            caption=caption,
            labels=labels or {},
            batch_id=batch_id,
            transfer=_TRANSFERS[transfer],
        )
        known = NOTHING if resume else None
        async with within(timeout):
            return await self._upload(source, spec, known, progress, wait, request_id)

    async def upload_many(
        self,
        sources: Iterable[Readable],
        *,
        at_once: int = AT_ONCE,
        folder: str | os.PathLike[str] = "",
        content_type: str = "",
        collection: str = "",
        caption: str = "",
        labels: Mapping[str, str] | None = None,
        batch_id: str = "",
        transfer: Transfer = "auto",
        resume: bool = False,
        progress: Callable[[int, UploadProgress], object] | None = None,
        wait: bool = False,
    ) -> AsyncGenerator[UploadOutcome, None]:
        """Sends files as `upload` does, `at_once` at a time, and yields what became of each as it ends.

        `sources` are taken as places become free. Of those within `folder` the path in it goes along. `progress` gets
        the place in `sources`, from 0, and `UploadProgress`. A file that cannot be read or is refused is an outcome;
        the others go on. With `resume` and a `batch_id` the batch is asked first what it has, and no byte of that is
        read again.
        """

        spec = pb.UploadSpec(
            content_type=content_type,
            collection=collection,
            caption=caption,
            labels=labels or {},
            batch_id=batch_id,
            transfer=_TRANSFERS[transfer],
        )
        known: Known | None = (await self._members(batch_id) if batch_id else NOTHING) if resume else None

        async def send_one(numbered: tuple[int, Readable]) -> UploadOutcome:
            place, source = numbered
            try:
                own = pb.UploadSpec(path=path_within(folder, source))
                own.MergeFrom(spec)
                upload = await self._upload(source, own, known, partial(progress, place) if progress else None, wait)
            except (MediafleetError, OSError, FileChanged) as error:
                return UploadOutcome(place, source, None, error)
            return UploadOutcome(place, source, upload, None)

        async with aclosing(in_parallel(each(enumerate(sources)), send_one, at_once)) as outcomes:
            async for outcome in outcomes:
                yield outcome

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

    async def wait(
        self, upload_id: str, *, progress: Callback | None = None, timeout: float | None = None
    ) -> pb.Upload:
        """The terminal upload, whatever its state; NotFound if it is deleted meanwhile."""
        async with within(timeout):
            upload = await self.get(upload_id)
            return await self._terminal(upload, Report(progress, upload.size_bytes))

    async def get(self, upload_id: str) -> pb.Upload:
        """One upload as it is now."""
        request = pb.GetUploadRequest(upload_id=upload_id)
        return (await self._gateways.call(lambda gateway: gateway.uploads.GetUpload, request)).upload

    async def list(
        self,
        filter: pb.UploadFilter | None = None,  # noqa: A002 - the contract's name
        *,
        order_by: str = "",
        page_size: int = 0,
    ) -> AsyncGenerator[pb.Upload, None]:
        """Every upload that matches; pages are fetched as the caller goes on.

        `order_by` is `create_time desc`, newest first and the default, or `create_time`; `page_size` is at most 1000,
        0 leaves it to the gateway.
        """
        request = pb.ListUploadsRequest(filter=filter, order_by=order_by, page_size=page_size)
        while True:
            page = await self._gateways.call(lambda gateway: gateway.uploads.ListUploads, request)
            for upload in page.uploads:
                yield upload
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def update(
        self, upload_id: str, *, caption: str | None = None, labels: Mapping[str, str] | None = None
    ) -> pb.Upload:
        """Sets what is given; `labels` replace all the old ones."""
        paths = [name for name, value in (("caption", caption), ("labels", labels)) if value is not None]
        request = pb.UpdateUploadRequest(
            upload_id=upload_id, caption=caption or "", labels=labels or {}, update_mask=FieldMask(paths=paths)
        )
        return (await self._gateways.call(lambda gateway: gateway.uploads.UpdateUpload, request)).upload

    async def cancel(self, upload_id: str, *, reason: str = "") -> pb.Upload:
        """Stops it; the answer is CANCELLED, CANCELLING, or SUCCEEDED if the commit was first."""
        request = pb.CancelUploadRequest(upload_id=upload_id, reason=reason)
        return (await self._gateways.call(lambda gateway: gateway.uploads.CancelUpload, request)).upload

    async def retry(self, upload_id: str, *, series: int = 0) -> pb.Upload:
        """Queues a failed or cancelled upload again, while its original is kept.

        Name the `series` that ended (`upload.progress.series`) and it is queued once, however often you ask: an upload
        that is in a later series is answered as it is. Only then a call without an answer is made again.
        """
        request = pb.RetryUploadRequest(upload_id=upload_id, series=series)
        answer = await self._gateways.call(lambda gateway: gateway.uploads.RetryUpload, request, repeatable=series > 0)
        return answer.upload

    async def retry_many(
        self,
        filter: pb.UploadFilter | None = None,  # noqa: A002 - the contract's name
        *,
        at_once: int = AT_ONCE,
    ) -> AsyncGenerator[RetryOutcome, None]:
        """Queues every FAILED upload that matches again, oldest first, and yields what became of each.

        A filter with `states` of its own chooses among those. Each upload is taken once, also when it fails again
        meanwhile. One that cannot be retried is an outcome; what concerns all of them is raised. It is safe to
        interrupt: what is queued again matches no more, so the same call goes on with the rest.
        """
        which = pb.UploadFilter()
        if filter is not None:
            which.CopyFrom(filter)
        if not which.states:
            which.states.append(pb.UPLOAD_STATE_FAILED)

        async def retry_one(found: pb.Upload) -> RetryOutcome:
            try:
                upload = await self.retry(found.upload_id, series=found.progress.series)
            except (FailedPrecondition, NotFound) as error:
                return RetryOutcome(found, None, error)
            return RetryOutcome(found, upload, None)

        async with (
            aclosing(self.list(which, order_by="create_time", page_size=_PAGE)) as matching,
            aclosing(in_parallel(matching, retry_one, at_once)) as outcomes,
        ):
            async for outcome in outcomes:
                yield outcome

    async def delete(self, upload_id: str) -> pb.Upload:
        """Deletes it with everything that was made from it; returns it as it last was."""
        request = pb.DeleteUploadRequest(upload_id=upload_id)
        return (await self._gateways.call(lambda gateway: gateway.uploads.DeleteUpload, request)).upload

    async def download_url(
        self,
        upload_id: str,
        rendition: str = "",
        *,
        expires_in: timedelta | None = None,
        as_attachment: bool = False,
    ) -> str:
        """A URL that needs no credentials: of the original, or of a rendition such as `small`; for 1 hour by default.

        To be kept as a secret.
        """
        request = pb.CreateDownloadUrlRequest(
            upload_id=upload_id, rendition=rendition, expires_in=duration(expires_in), as_attachment=as_attachment
        )
        return (await self._gateways.call(lambda gateway: gateway.uploads.CreateDownloadUrl, request)).url

    async def usage(
        self, *, collection: str = "", whole_bucket: bool = False, refresh: bool = False
    ) -> usage_pb2.Usage:
        """What the tenant, one collection, or (scope `admin`) the whole bucket stores, and what it costs.

        With `refresh` the storage is looked at anew, and for the whole bucket compared with the counters. That may take
        longer than the gateway waits: `reconcile_time` tells whether it is done, `reconcile_progress` how far it is.
        """
        scope = _usage_scope(collection, whole_bucket)
        request = usage_pb2.GetUsageRequest(scope=scope, collection=collection, refresh=refresh)
        return (await self._gateways.call(lambda gateway: gateway.usage.GetUsage, request)).usage

    async def usage_history(
        self,
        since: datetime | None = None,
        *,
        before: datetime | None = None,
        granularity: Granularity = "day",
        collection: str = "",
        whole_bucket: bool = False,
    ) -> AsyncGenerator[usage_pb2.UsagePoint, None]:
        """What was stored at the end of each hour, day or month, by rising time; `since` 30 days ago unless given.

        Times are aware of their zone. Pages are fetched as the caller goes on.
        """
        request = usage_pb2.ListUsageHistoryRequest(
            scope=_usage_scope(collection, whole_bucket),
            collection=collection,
            granularity=usage_pb2.UsageGranularity.Value(f"USAGE_GRANULARITY_{granularity.upper()}"),
        )
        if since is not None or before is not None:
            request.interval.CopyFrom(pb.TimeRange(start_time=timestamp(since), end_time=timestamp(before)))
        while True:
            page = await self._gateways.call(lambda gateway: gateway.usage.ListUsageHistory, request)
            for point in page.points:
                yield point
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def quota(self, *, collection: str = "") -> usage_pb2.Quota:
        """The tenant's limits and what is used of them, together with those of a collection if one is named."""
        request = usage_pb2.GetQuotaRequest(collection=collection)
        return (await self._gateways.call(lambda gateway: gateway.usage.GetQuota, request)).quota

    async def fleet(self) -> fleet_pb2.Fleet:
        """The queues with their figures, and the workers; needs the scope `admin`, as the two below."""
        return (await self._gateways.call(lambda gateway: gateway.fleet.GetFleet, fleet_pb2.GetFleetRequest())).fleet

    async def explain(self, upload_id: str) -> fleet_pb2.UploadExplanation:
        """All about one upload: history, attempts, queue or lease, objects, in words too; of any tenant for `admin`."""
        request = fleet_pb2.ExplainUploadRequest(upload_id=upload_id)
        return (await self._gateways.call(lambda gateway: gateway.fleet.ExplainUpload, request)).explanation

    async def pause_queue(self, queue: str, *, reason: str = "") -> fleet_pb2.QueueStatus:
        """Hands out no more work of a queue such as `image`; running work goes on, uploads are still taken in."""
        request = fleet_pb2.PauseQueueRequest(queue=queue, reason=reason)
        return (await self._gateways.call(lambda gateway: gateway.fleet.PauseQueue, request)).queue

    async def resume_queue(self, queue: str) -> fleet_pb2.QueueStatus:
        """Hands out work of a paused queue again."""
        request = fleet_pb2.ResumeQueueRequest(queue=queue)
        return (await self._gateways.call(lambda gateway: gateway.fleet.ResumeQueue, request)).queue

    async def _upload(
        self,
        source: Readable,
        spec: pb.UploadSpec,
        known: Known | None,
        progress: Callback | None,
        wait: bool,
        request_id: str = "",
    ) -> pb.Upload:
        """`spec` lacks what the source tells; `known` is None unless earlier uploads shall be gone on with."""
        with ExitStack() as stack:
            opening = open_source(source, spec.display_name, asyncio.get_running_loop())
            file = await on_own_thread(lambda: stack.enter_context(opening))  # of a FIFO, to write to it may be late
            whole = pb.UploadSpec()
            whole.CopyFrom(spec)
            whole.MergeFrom(pb.UploadSpec(display_name=file.name, size_bytes=file.size))
            report = Report(progress, file.size)
            if known is None:
                upload = await send(self._gateways, file, whole, request_id or str(uuid.uuid4()), report)
            elif isinstance(source, str | os.PathLike):
                upload = await send_resuming(self._gateways, Path(source), file, whole, report, known)
            else:
                raise TypeError("`resume` needs a path")
        return await self._terminal(upload, report) if wait else upload

    async def _members(self, batch_id: str) -> Known:
        uploads = self.list(pb.UploadFilter(batch_id=batch_id), page_size=_PAGE)
        return {upload.request_id: upload.SerializeToString() async for upload in uploads if upload.request_id}

    async def _terminal(self, upload: pb.Upload, report: Report) -> pb.Upload:
        events = self.watch(upload.upload_id)
        async for event in events:
            upload = applied(event, upload)
            if event.HasField("deleted"):
                raise NotFound("the upload was deleted while it was waited for", reason="UPLOAD_NOT_FOUND")
            report.heard(upload)
        return upload


def _usage_scope(collection: str, whole_bucket: bool) -> usage_pb2.UsageScope.ValueType:
    if whole_bucket:
        return usage_pb2.USAGE_SCOPE_BUCKET
    return usage_pb2.USAGE_SCOPE_COLLECTION if collection else usage_pb2.USAGE_SCOPE_TENANT
