"""The two watch streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime, timedelta

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceServicer
from mediafleet_core.errors import MediafleetError
from mediafleet_core.events import Message, Snapshot, StateChanged
from mediafleet_core.ports import Ledger
from mediafleet_core.uploads import Upload
from mediafleet_core.watching import Watching
from mediafleet_gateway import metrics, requests
from mediafleet_gateway.auth import caller
from mediafleet_gateway.convert import event_to_proto
from mediafleet_gateway.draining import Drain
from mediafleet_gateway.interceptors.around import Context


class Watches(UploadServiceServicer):
    """WatchUpload and WatchUploads: core's messages as they travel. The drain ends both from outside."""

    def __init__(self, ledger: Ledger, watching: Watching, drain: Drain, *, heartbeat: timedelta) -> None:
        """`heartbeat` is the time between two signs of life."""
        self._ledger = ledger
        self._watching = watching
        self._drain = drain
        self._heartbeat = heartbeat

    def WatchUpload(self, request: pb.WatchUploadRequest, context: Context) -> AsyncIterator[pb.UploadEvent]:
        """Ends after the terminal message."""
        after, interval = requests.watch_position(request)
        messages = self._watching.watch(
            requests.upload_id(request.upload_id),
            caller().tenant,
            after=after,
            min_interval=interval,
            heartbeat=self._heartbeat,
        )
        return self._events(messages, resumes=bool(request.after_cursor))

    def WatchUploads(self, request: pb.WatchUploadsRequest, context: Context) -> AsyncIterator[pb.UploadEvent]:
        """Ends when the client leaves."""
        after, interval = requests.watch_position(request)
        messages = self._watching.watch_many(
            caller().tenant,
            requests.filter_from_proto(request.filter),
            after=after,
            min_interval=interval,
            heartbeat=self._heartbeat,
        )
        return self._events(messages, resumes=bool(request.after_cursor))

    async def _events(self, messages: AsyncGenerator[Message, None], *, resumes: bool) -> AsyncIterator[pb.UploadEvent]:
        with self._counted():
            async with aclosing(messages) as stream:
                async for message in stream:
                    if resumes:
                        resumes = False
                        outcome = "snapshot" if isinstance(message.event, Snapshot) else "resumed"
                        metrics.WATCH_RESUMES.labels(outcome).inc()
                    if isinstance(message.event, StateChanged):
                        metrics.WATCH_LAG.observe(_age(message.event.time))
                    upload = await self._final_record(message)
                    yield event_to_proto(message, self._heartbeat, upload)

    async def _final_record(self, message: Message) -> Upload | None:
        """The record behind a terminal change, unless it went on since."""
        event = message.event
        if not isinstance(event, StateChanged) or not event.state.terminal:
            return None
        try:
            upload = await self._ledger.get(event.upload_id, event.tenant)
        except MediafleetError:
            return None
        return upload if upload.sequence == event.sequence else None

    @contextmanager
    def _counted(self) -> Iterator[None]:
        reason = "error"
        metrics.WATCHES.inc()
        try:
            yield
            reason = "finished"
        except (asyncio.CancelledError, GeneratorExit):
            reason = "draining" if self._drain.begun.is_set() else "client"
            raise
        finally:
            metrics.WATCHES.dec()
            metrics.WATCH_CLOSED.labels(reason).inc()


def _age(time: datetime) -> float:
    # Clocks of two machines may differ.
    return max(0.0, (datetime.now(UTC) - time).total_seconds())
