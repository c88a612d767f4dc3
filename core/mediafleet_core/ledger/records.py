"""Between the flat fields of a Redis hash and the typed records of the domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from time import time
from typing import TypedDict, TypeVar

import msgspec

from mediafleet_core.events import Deleted, LogEntry, ProgressMade, StateChanged
from mediafleet_core.failures import AttemptRecord, Failure, FailureCode
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.media_types import MediaKind
from mediafleet_core.progress import Progress, Units, receiving
from mediafleet_core.progress.expected import stage_seconds
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import (
    Checksums,
    MediaInfo,
    Rendition,
    StageTiming,
    State,
    Upload,
    UploadSpec,
)
from mediafleet_core.usage import Stored

Fields = Mapping[str, str]
_T = TypeVar("_T")


class _About(TypedDict):
    upload_id: UploadId
    tenant: TenantId
    sequence: int
    time: datetime
    collection: str
    batch_id: str
    kind: MediaKind


def pairs(flat: Sequence[str]) -> dict[str, str]:
    """A flat reply of names and values as a dict."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def to_json(value: object) -> str:
    """JSON text of a struct or a plain value."""
    return msgspec.json.encode(value).decode()


def share(limits: Limits) -> str:
    """What claims need to know of a tenant's limits, as JSON; the same text for equal limits."""
    return to_json({"weight": limits.weight, "running": dict(sorted(limits.running_uploads.items()))})


def lost_attempt() -> AttemptRecord:
    """One that is lost now; the ledger knows where and to whom, and whether the file is to blame."""
    return AttemptRecord(time=datetime.now(UTC), code=FailureCode.LEASE_LOST_TOO_OFTEN, worker="")


def upload(upload_id: str, fields: Fields) -> Upload:
    """The record."""
    spec = msgspec.json.decode(fields["spec"], type=UploadSpec)
    if spec.collection != fields["collection"]:  # its batch's, where it named none
        spec = msgspec.structs.replace(spec, collection=fields["collection"])
    return Upload(
        upload_id=UploadId(upload_id),
        tenant=TenantId(fields["tenant"]),
        spec=spec,
        kind=MediaKind(fields["kind"]),
        state=State(fields["state"]),
        progress=_progress(fields),
        content_type=fields.get("content_type", ""),
        caption=fields.get("caption", ""),
        labels=_json(fields, "labels", dict[str, str]) or {},
        size_bytes=_int(fields, "size"),
        committed_size=_int(fields, "committed") or 0,
        checksums=Checksums(crc32c=_int(fields, "crc32c"), sha256=fields.get("sha256") or None),
        original_key=fields.get("original", ""),
        attempt=_int(fields, "attempt") or 0,
        max_attempts=_int(fields, "max_attempts") or 0,
        next_attempt_time=_time(fields, "next"),
        failure=_failure(fields),
        renditions=_json(fields, "renditions", tuple[Rendition, ...]) or (),
        media_info=_json(fields, "media_info", MediaInfo),
        timings=_json(fields, "timings", tuple[StageTiming, ...]) or (),
        create_time=at(fields["created"]),
        start_time=_time(fields, "started"),
        finish_time=_time(fields, "finished"),
        expire_time=_time(fields, "expires"),
        revision=int(fields["rev"]),
        sequence=int(fields["seq"]),
        fence=int(fields["fence"]),
        request_id=fields.get("request", "").partition(":")[2].partition(":")[2],  # behind tenant and method
    )


def log_entry(fields: Fields) -> LogEntry:
    """One entry of the event log."""
    if fields["what"] == "deleted":
        return Deleted(**_about(fields))
    previous = fields.get("previous")
    return StateChanged(
        **_about(fields),
        previous=State(previous) if previous else None,
        state=State(fields["state"]),
        progress=_progress(fields),
        attempt=_int(fields, "attempt") or 0,
        max_attempts=_int(fields, "max_attempts") or 0,
        next_attempt_time=_time(fields, "next"),
        failure=_failure(fields),
    )


def progress_made(message: str | bytes) -> ProgressMade:
    """One message of the progress channel."""
    fields = msgspec.json.decode(message, type=dict[str, str])
    return ProgressMade(**_about(fields), progress=_progress(fields))


def at(milliseconds: str | int) -> datetime:
    """A time from Redis' milliseconds."""
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def stored(fields: Fields, name: str) -> Stored:
    """An amount among the counters of usage; nothing where it was never counted."""
    return Stored(int(fields.get(f"{name}:size", 0)), int(fields.get(f"{name}:objects", 0)))


def _about(fields: Fields) -> _About:
    return {
        "upload_id": UploadId(fields["id"]),
        "tenant": TenantId(fields["tenant"]),
        "sequence": int(fields["seq"]),
        "time": at(fields["time"]),
        "collection": fields.get("collection", ""),
        "batch_id": fields.get("batch", ""),
        "kind": MediaKind(fields["kind"]),
    }


def _progress(fields: Fields) -> Progress:
    units = _json(fields, "units", Units) or Units()
    if fields.get("state") in (State.RECEIVING, State.EXPIRED):
        done, total = _int(fields, "committed") or 0, _int(fields, "size")
        units = Units(bytes_done=done, bytes_total=total, eta_seconds=_receiving_eta(fields, done, total))
    return Progress(
        series=int(fields["series"]),
        percent=float(fields["percent"]),
        work_percent=float(fields["work"]),
        stage=fields["stage"],
        attempt=_int(fields, "attempt") or 0,
        **msgspec.structs.asdict(units),
    )


def _receiving_eta(fields: Fields, done: int, total: int | None) -> float | None:
    flow = _json(fields, "flow", receiving.Flow)
    if flow is None or total is None or fields["state"] != State.RECEIVING:
        return None
    work = sum(stage_seconds(MediaKind(fields["kind"]), "", total).values())
    return receiving.remaining(flow, total - done, work, float(fields.get("time") or time() * 1000))


def _failure(fields: Fields) -> Failure | None:
    text = fields.get("failure")
    if not text:
        return None
    failure = msgspec.json.decode(text, type=Failure)
    attempts = msgspec.json.decode(f"[{fields.get('attempts', '')}]", type=tuple[AttemptRecord, ...])
    return msgspec.structs.replace(failure, attempts=attempts)


def _json(fields: Fields, name: str, kind: type[_T]) -> _T | None:
    text = fields.get(name)
    return msgspec.json.decode(text, type=kind) if text else None


def _int(fields: Fields, name: str) -> int | None:
    text = fields.get(name)
    return int(text) if text else None


def _time(fields: Fields, name: str) -> datetime | None:
    text = fields.get(name)
    return at(text) if text else None
