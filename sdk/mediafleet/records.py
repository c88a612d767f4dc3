"""What the client asks about uploads that are there, and does with them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import timedelta

from google.protobuf.field_mask_pb2 import FieldMask

from mediafleet.arguments import checked
from mediafleet.calls import Calls, Order
from mediafleet.errors import FailedPrecondition, NotFound
from mediafleet.many import AT_ONCE, RetryOutcome, in_parallel
from mediafleet.spans import duration
from mediafleet.v1 import uploads_pb2 as pb

PAGE = 200
"""Uploads listed at a time, few enough that a gateway serves others soon."""


class RecordCalls(Calls):
    """Of `AsyncClient`: `get`, `list`, `update`, `cancel`, `retry`, `retry_many`, `delete` and `download_url`."""

    @checked
    async def get(self, upload_id: str) -> pb.Upload:
        """One upload as it is now."""
        request = pb.GetUploadRequest(upload_id=upload_id)
        return (await self._gateways.call(lambda gateway: gateway.uploads.GetUpload, request)).upload

    @checked
    async def list(
        self,
        filter: pb.UploadFilter | None = None,  # noqa: A002 - the contract's name
        *,
        order_by: Order = "",
        page_size: int = 0,
    ) -> AsyncGenerator[pb.Upload, None]:
        """Every upload that matches; pages are fetched as the caller goes on.

        `order_by` is `create_time desc`, newest first and the default, or `create_time`; `page_size` is at most 1000,
        0 leaves it to the gateway.
        """
        request = pb.ListUploadsRequest(filter=filter, order_by=order_by, page_size=page_size)
        async with aclosing(self._pages(lambda gateway: gateway.uploads.ListUploads, request)) as pages:
            async for page in pages:
                for upload in page.uploads:
                    yield upload

    @checked
    async def update(
        self, upload_id: str, *, caption: str | None = None, labels: Mapping[str, str] | None = None
    ) -> pb.Upload:
        """Sets what is given; `labels` replace all the old ones."""
        paths = [name for name, value in (("caption", caption), ("labels", labels)) if value is not None]
        request = pb.UpdateUploadRequest(
            upload_id=upload_id, caption=caption or "", labels=labels or {}, update_mask=FieldMask(paths=paths)
        )
        return (await self._gateways.call(lambda gateway: gateway.uploads.UpdateUpload, request)).upload

    @checked
    async def cancel(self, upload_id: str, *, reason: str = "") -> pb.Upload:
        """Stops it; the answer is CANCELLED, CANCELLING, or SUCCEEDED if the commit was first."""
        request = pb.CancelUploadRequest(upload_id=upload_id, reason=reason)
        return (await self._gateways.call(lambda gateway: gateway.uploads.CancelUpload, request)).upload

    @checked
    async def retry(self, upload_id: str, *, series: int = 0) -> pb.Upload:
        """Queues a failed or cancelled upload again, while its original is kept.

        Name the `series` that ended (`upload.progress.series`) and it is queued once, however often you ask: an upload
        that is in a later series is answered as it is. Only then a call without an answer is made again.
        """
        request = pb.RetryUploadRequest(upload_id=upload_id, series=series)
        answer = await self._gateways.call(lambda gateway: gateway.uploads.RetryUpload, request, repeatable=series > 0)
        return answer.upload

    @checked
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
            aclosing(self.list(which, order_by="create_time", page_size=PAGE)) as matching,
            aclosing(in_parallel(matching, retry_one, at_once)) as outcomes,
        ):
            async for outcome in outcomes:
                yield outcome

    @checked
    async def delete(self, upload_id: str) -> pb.Upload:
        """Deletes it with everything that was made from it; returns it as it last was."""
        request = pb.DeleteUploadRequest(upload_id=upload_id)
        return (await self._gateways.call(lambda gateway: gateway.uploads.DeleteUpload, request)).upload

    @checked
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
