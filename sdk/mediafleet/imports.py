"""Imports, asynchronously: objects that lie in the bucket already become uploads, without passing this client."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing

from mediafleet.arguments import checked
from mediafleet.calls import Calls
from mediafleet.errors import FailedPrecondition, MediafleetError
from mediafleet.many import AT_ONCE, ImportOutcome, each, in_parallel
from mediafleet.resuming import OTHERS, lost_states
from mediafleet.v1 import uploads_pb2 as pb

_NAMESPACE = uuid.UUID("0d8f3c52-6f0e-4a86-8f5e-5a1d9a7c4be3")

ImportCallback = Callable[[pb.Upload], object]


class AsyncImports(Calls):
    """`client.imports`. A tenant's objects lie below `imports/<tenant>/` in the bucket and stay as they are.

    Calls survive the loss of a gateway as those of the client do. Answers are the messages of `mediafleet.v1`.
    """

    @checked
    async def list(self, prefix: str = "", *, page_size: int = 0) -> AsyncGenerator[pb.Importable, None]:
        """Every object whose key, below the tenant's own place, begins with `prefix`; in the order of the keys."""
        request = pb.ListImportablesRequest(prefix=prefix, page_size=page_size)
        async with aclosing(self._pages(lambda gateway: gateway.uploads.ListImportables, request)) as pages:
            async for page in pages:
                for importable in page.importables:
                    yield importable

    @checked
    async def take(
        self,
        source: pb.Importable,
        *,
        display_name: str = "",
        path: str = "",
        content_type: str = "",
        collection: str = "",
        caption: str = "",
        labels: Mapping[str, str] | None = None,
        batch_id: str = "",
        progress: ImportCallback | None = None,
    ) -> pb.Upload:
        """Makes an upload of an object and returns it, durable and queued.

        The same object with the same arguments is the same upload, in another process too, so what was interrupted
        goes on; one that failed, was cancelled or deleted is made anew, in a batch only one that expired. `progress`
        is called with the `Upload` while a long copy goes on. Without a `display_name` it is the last part of the key,
        without a `path` the key. Raises `NotFound` (SOURCE_NOT_FOUND) or `FailedPrecondition` (SOURCE_CHANGED) where
        the object is no longer as it was listed, and the latter (UPLOAD_CANCELLED) where somebody cancels the upload
        meanwhile.
        """
        spec = pb.UploadSpec(
            display_name=display_name,
            path=path,
            content_type=content_type,
            collection=collection,
            caption=caption,
            labels=labels or {},
            batch_id=batch_id,
        )
        request = pb.ImportUploadRequest(spec=spec, source_key=source.key, source_etag=source.etag)
        for request_id in _request_ids(request.SerializeToString(deterministic=True)):
            request.request_id = request_id
            try:
                upload = await self._taken(request, progress)
            except MediafleetError as error:
                if error.reason in OTHERS:
                    continue
                raise
            if upload.state not in lost_states(batch_id):
                return upload
        raise AssertionError("request ids never end")

    @checked
    async def take_many(
        self,
        sources: Iterable[pb.Importable],
        *,
        at_once: int = AT_ONCE,
        collection: str = "",
        caption: str = "",
        labels: Mapping[str, str] | None = None,
        batch_id: str = "",
        progress: Callable[[int, pb.Upload], object] | None = None,
    ) -> AsyncGenerator[ImportOutcome, None]:
        """Takes objects as `take` does, `at_once` at a time, and yields what became of each as it ends.

        `progress` gets the place in `sources`, from 0, and the `Upload`. An object that is refused is an outcome; the
        others go on.
        """

        async def take_one(numbered: tuple[int, pb.Importable]) -> ImportOutcome:
            place, source = numbered

            def moved(upload: pb.Upload) -> None:
                if progress is not None:
                    progress(place, upload)

            try:
                upload = await self.take(
                    source, collection=collection, caption=caption, labels=labels, batch_id=batch_id, progress=moved
                )
            except MediafleetError as error:
                return ImportOutcome(place, source, None, error)
            return ImportOutcome(place, source, upload, None)

        async with aclosing(in_parallel(each(enumerate(sources)), take_one, at_once)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def _taken(self, request: pb.ImportUploadRequest, progress: ImportCallback | None) -> pb.Upload:
        waited = False
        while True:
            answer = await self._gateways.call(lambda gateway: gateway.uploads.ImportUpload, request)
            if progress is not None:
                progress(answer.upload)
            if waited and answer.upload.state == pb.UploadState.UPLOAD_STATE_CANCELLED:
                # Between two calls; whoever cancels it during one has the gateway say so.
                raise FailedPrecondition("the upload was cancelled", reason="UPLOAD_CANCELLED")
            if answer.upload.state != pb.UploadState.UPLOAD_STATE_RECEIVING:
                return answer.upload
            waited = True


def _request_ids(asked: bytes) -> Iterator[str]:
    """The names of the first, second, ... upload of this object as it is now, with these arguments, from anywhere."""
    number = 0
    while True:
        yield str(uuid.uuid5(_NAMESPACE, f"{asked.hex()}\0{number}"))
        number += 1
