"""How the client sends files."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import ExitStack, aclosing
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

from mediafleet.arguments import checked
from mediafleet.errors import MediafleetError
from mediafleet.following import FollowingCalls
from mediafleet.many import AT_ONCE, UploadOutcome, each, in_parallel
from mediafleet.paths import path_within
from mediafleet.progress import Callback, Report, UploadProgress
from mediafleet.records import PAGE
from mediafleet.resuming import NOTHING, Known, send_resuming
from mediafleet.sending import send
from mediafleet.sources import FileChanged, FileSource, Readable, open_source
from mediafleet.spans import within
from mediafleet.threads import on_own_thread
from mediafleet.v1 import uploads_pb2 as pb

Transfer: TypeAlias = Literal["auto", "stream", "direct"]

_TRANSFERS: Mapping[Transfer, pb.Transfer.ValueType] = {
    "auto": pb.TRANSFER_UNSPECIFIED,
    "stream": pb.TRANSFER_STREAM,
    "direct": pb.TRANSFER_DIRECT,
}


class SendingCalls(FollowingCalls):
    """Of `AsyncClient`: `upload` and `upload_many`."""

    @checked
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
        an interrupted upload is continued, and one that has arrived is returned if it holds the same bytes. A FIFO or
        device, whose bytes come once, is sent anew.
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

    @checked
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
        path = Path(source) if isinstance(source, str | os.PathLike) else None
        if known is not None and path is None:
            raise TypeError("`resume` needs a path")
        with ExitStack() as stack:
            opening = open_source(source, spec.display_name, asyncio.get_running_loop())
            file = await on_own_thread(lambda: stack.enter_context(opening))  # a FIFO waits for its writer
            whole = pb.UploadSpec()
            whole.CopyFrom(spec)
            whole.MergeFrom(pb.UploadSpec(display_name=file.name, size_bytes=file.size))
            report = Report(progress, file.size)
            if path and known is not None and isinstance(file, FileSource):
                upload = await send_resuming(self._gateways, path, file, whole, report, known)
            else:
                upload = await send(self._gateways, file, whole, request_id or str(uuid.uuid4()), report)
        return await self._terminal(upload, report) if wait else upload

    async def _members(self, batch_id: str) -> Known:
        uploads = self.list(pb.UploadFilter(batch_id=batch_id), page_size=PAGE)
        return {upload.request_id: upload.SerializeToString() async for upload in uploads if upload.request_id}
