"""The two watch streams."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceServicer
from mediafleet_core.events import Message, Resumed, StateChanged, WatchEvent
from mediafleet_core.watching import Watching
from mediafleet_gateway import metrics, requests
from mediafleet_gateway.auth import Scope, caller
from mediafleet_gateway.draining import Drain
from mediafleet_gateway.interceptors.around import Context
from mediafleet_gateway.wire import Wire

RESUMED = (("mediafleet-watch", "resumed"),)
"""Header of a watch that goes on behind the cursor that it was given."""


class Watches(UploadServiceServicer):
    """WatchUpload and WatchUploads: core's messages as they travel. The drain ends both from outside."""

    def __init__(self, watching: Watching, wire: Wire, drain: Drain) -> None:
        """`wire` makes bytes of messages, which the server passes through."""
        self._watching = watching
        self._wire = wire
        self._drain = drain

    async def WatchUpload(  # type: ignore[override]
        self, request: pb.WatchUploadRequest, context: Context
    ) -> None:
        """Ends after the terminal message."""
        after, interval = requests.watch_position(request)
        upload_id = requests.upload_id(request.upload_id)
        messages = self._watching.watch(upload_id, caller().tenant, after=after, min_interval=interval)
        await self._send(messages, context, resumes=bool(request.after_cursor))

    async def WatchUploads(  # type: ignore[override]
        self, request: pb.WatchUploadsRequest, context: Context
    ) -> None:
        """Ends when the client leaves."""
        after, interval = requests.watch_position(request)
        which = requests.watch_filter(request.filter)
        if request.all_tenants:
            caller().require(Scope.ADMIN)
        tenant = None if request.all_tenants else caller().tenant
        messages = self._watching.watch_many(tenant, which, after=after, min_interval=interval)
        await self._send(messages, context, resumes=bool(request.after_cursor))

    async def _send(
        self, messages: AsyncGenerator[Message[WatchEvent], None], context: Context, *, resumes: bool
    ) -> None:
        begun = datetime.now(UTC)
        with self._drain.watch():
            async with aclosing(messages):
                async for message in messages:
                    if resumes:
                        resumes = False
                        metrics.count_resume(isinstance(message.event, Resumed))
                    if isinstance(message.event, Resumed):
                        # The client learns that it is served, though there may be nothing to tell for long.
                        await context.send_initial_metadata(RESUMED)
                        continue
                    # What happened before is late because the watcher was away.
                    if isinstance(message.event, StateChanged) and message.event.time >= begun:
                        metrics.WATCH_LAG.observe(_age(message.event.time))
                    await context.write(await self._wire.of(message))
                    del message  # what is made of it goes with the last watcher that has it


def _age(time: datetime) -> float:
    # Clocks of two machines may differ.
    return max(0.0, (datetime.now(UTC) - time).total_seconds())
