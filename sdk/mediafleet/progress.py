"""Progress as callers see it: the bytes on their way and the work in the fleet, as one percent that never falls."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from mediafleet.v1.uploads_pb2 import Upload, UploadEvent, UploadState

SENDING_PERCENT = 60.0
"""Share of the way that the gateway gives to receiving; before it answers, the client counts the same way."""

TERMINAL_STATES = frozenset(
    {
        UploadState.UPLOAD_STATE_SUCCEEDED,
        UploadState.UPLOAD_STATE_FAILED,
        UploadState.UPLOAD_STATE_CANCELLED,
        UploadState.UPLOAD_STATE_EXPIRED,
    }
)
"""Of these an upload gets out only by a retry."""


class UploadProgress(NamedTuple):
    """How far an upload is.

    `bytes_sent` of `bytes_total` (0 while unknown) have left this machine, fewer again when some must be sent once
    more; `bytes_resent` counts those. `percent` (0 to 100) is the whole way, the work included, and 100 only in a
    terminal state. `state` reads as in the proto without its prefix, such as `PROCESSING`; `stage` such as `receiving`.
    `upload` is the record as last heard of.
    """

    bytes_sent: int
    bytes_total: int
    percent: float
    state: str
    stage: str
    upload: Upload
    bytes_resent: int = 0


Callback = Callable[[UploadProgress], object]


class Report:
    """Tells a callback of one upload, from what is sent and what the gateway says."""

    def __init__(self, callback: Callback | None, bytes_total: int | None) -> None:
        """Without a callback it does nothing."""
        self._callback = callback
        self._sent = 0
        self._resent = 0
        self._total = bytes_total or 0
        self._percent = 0.0
        self._series = 1
        self._upload = Upload()

    def sent(self, offset: int) -> None:
        """The bytes below `offset` are on their way."""
        self._sent = offset
        self._tell(SENDING_PERCENT * offset / self._total if self._total else 0.0)

    def resumed(self, offset: int) -> None:
        """The bytes from `offset` on are sent once more."""
        self._resent += max(0, self._sent - offset)
        self._sent = offset
        self._tell(0.0)

    def heard(self, upload: Upload) -> None:
        """The gateway told of the upload, or of one that is made in the place of one that was lost."""
        if self._upload.upload_id not in ("", upload.upload_id):
            self._sent, self._percent, self._series = 0, 0.0, 1
        self._upload = upload
        self._total = self._total or upload.size_bytes
        self._sent = max(self._sent, upload.committed_size)
        self._tell(upload.progress.percent)

    def _tell(self, percent: float) -> None:
        if self._callback is None:
            return
        if self._upload.progress.series > self._series:  # retried: the work begins anew
            self._series, self._percent = self._upload.progress.series, 0.0
        self._percent = max(self._percent, percent)
        state, stage = state_name(self._upload.state), self._upload.progress.stage
        self._callback(UploadProgress(self._sent, self._total, self._percent, state, stage, self._upload, self._resent))


def state_name(state: UploadState.ValueType) -> str:
    """`SUCCEEDED` for UPLOAD_STATE_SUCCEEDED; the number of a state that this release does not know."""
    try:
        return UploadState.Name(state).removeprefix("UPLOAD_STATE_")
    except ValueError:
        return str(int(state))


def applied(event: UploadEvent, upload: Upload) -> Upload:
    """The upload after an event; `upload` is what the events before it made."""
    after = Upload()
    after.CopyFrom(upload)
    match event.WhichOneof("event"):
        case "snapshot":
            return event.snapshot
        case "progress":
            after.progress.CopyFrom(event.progress)
        case "state_changed" if event.state_changed.HasField("upload"):
            return event.state_changed.upload
        case "state_changed":
            change = event.state_changed
            after.state = change.state
            after.attempt, after.max_attempts = change.attempt, change.max_attempts
            after.progress.CopyFrom(change.progress)
            for name in ("failure", "next_attempt_time"):
                after.ClearField(name)
                if change.HasField(name):
                    getattr(after, name).CopyFrom(getattr(change, name))
    return after


def is_last(event: UploadEvent) -> bool:
    """Whether WatchUpload says no more after this."""
    match event.WhichOneof("event"):
        case "snapshot":
            return event.snapshot.state in TERMINAL_STATES
        case "state_changed":
            return event.state_changed.state in TERMINAL_STATES
    return event.HasField("deleted")
