"""When multiparts were begun; moto says of each the same moment of 2010."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from werkzeug.wrappers import Response

from mediafleet_devserver.r2.operations import Operation

_ID = re.compile(rb"<UploadId>([^<]*)</UploadId>")
_LISTED = re.compile(rb"<Upload>.*?</Upload>", re.DOTALL)
_INITIATED = re.compile(rb"(?<=<Initiated>)[^<]*")


class Begun:
    """The moment of every multipart of this process."""

    def __init__(self) -> None:
        """None to begin with."""
        self._times: dict[bytes, bytes] = {}

    def correct(self, operation: Operation | None, response: Response) -> None:
        """Remember what begins, and put the truth into a listing."""
        if operation is Operation.CREATE_MULTIPART_UPLOAD and (begun := _ID.search(response.data)):
            self._moment(begun[1])
        elif operation is Operation.LIST_MULTIPART_UPLOADS:
            response.data = _LISTED.sub(self._told, response.data)

    def _told(self, listed: re.Match[bytes]) -> bytes:
        named = _ID.search(listed[0])
        return _INITIATED.sub(self._moment(named[1]), listed[0]) if named else listed[0]

    def _moment(self, multipart_id: bytes) -> bytes:
        # A listing may name one whose beginning is still on its way here: it is no older than this listing.
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return self._times.setdefault(multipart_id, now.encode())
