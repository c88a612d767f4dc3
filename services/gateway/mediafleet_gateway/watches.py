"""The two watch streams."""

from __future__ import annotations

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.uploads_pb2_grpc import UploadServiceServicer
from mediafleet_core.watching import Watching
from mediafleet_gateway import requests
from mediafleet_gateway.auth import Scope, caller
from mediafleet_gateway.draining import Drain
from mediafleet_gateway.interceptors.around import Context
from mediafleet_gateway.telling import tell
from mediafleet_gateway.wire import Wire


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
        await tell(messages, self._wire.of, context, self._drain, resumes=bool(request.after_cursor))

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
        await tell(messages, self._wire.of, context, self._drain, resumes=bool(request.after_cursor))
