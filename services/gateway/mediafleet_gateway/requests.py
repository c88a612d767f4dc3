"""Requests as core's vocabulary, every field checked."""

from __future__ import annotations

from datetime import datetime, timedelta

from mediafleet.v1 import batches_pb2
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.events import Cursor
from mediafleet_core.failures import FailureCode
from mediafleet_core.identity import BatchId, UploadId
from mediafleet_core.ports import UploadFilter
from mediafleet_core.processing import picture_sizes
from mediafleet_core.uploads import Checksums, Priority, Processing, ProcessingStep, Transfer, UploadSpec
from mediafleet_gateway.convert import KINDS, PRIORITIES, STATES, TRANSFERS
from mediafleet_gateway.validation import MAX_DISPLAY_NAME, MAX_PATH, MAX_REQUEST_ID, Fields

MAX_SIZE = 1 << 43
"""Bytes; more than any limit allows, so that arithmetic on sizes stays exact everywhere."""

_MAX_STEPS = 32
_DEFAULT_INTERVAL = timedelta(milliseconds=100)
_LONGEST_INTERVAL = timedelta(seconds=60)

_STATES = {number: state for state, number in STATES.items()}
_KINDS = {number: kind for kind, number in KINDS.items()}
_TRANSFERS = {pb.TRANSFER_UNSPECIFIED: Transfer.STREAM} | {
    number: way for way, number in TRANSFERS.items() if way is not Transfer.IMPORT
}
_PRIORITIES = {pb.PRIORITY_UNSPECIFIED: Priority.NORMAL} | {number: rank for rank, number in PRIORITIES.items()}


def upload_id(text: str) -> UploadId:
    """The id of a request that names one upload. Raises FIELD_INVALID."""
    fields = Fields()
    fields.identifier("upload_id", text)
    fields.check()
    return UploadId(text)


def request_id(text: str) -> str:
    """The caller's key of a wish; "" for none. Raises FIELD_INVALID."""
    fields = Fields()
    fields.line("request_id", text, MAX_REQUEST_ID)
    fields.check()
    return text


def checksums_from_proto(message: pb.Checksums, field: str = "checksums") -> Checksums:
    """Digests that were declared. Raises FIELD_INVALID."""
    fields = Fields()
    checksums = _checksums(fields, field, message)
    fields.check()
    return checksums


def spec_from_proto(message: pb.UploadSpec, field: str = "spec") -> UploadSpec:
    """What the caller says of a file; violations are named below `field`. Raises FIELD_INVALID."""
    fields = Fields()
    fields.display_name(f"{field}.display_name", message.display_name)
    fields.line(f"{field}.path", message.path, MAX_PATH)
    fields.media_type(f"{field}.content_type", message.content_type)
    fields.require(0 <= message.size_bytes <= MAX_SIZE, f"{field}.size_bytes", f"must be 0 to {MAX_SIZE}")
    if message.collection:
        fields.name(f"{field}.collection", message.collection)
    fields.caption(f"{field}.caption", message.caption)
    fields.labels(f"{field}.labels", message.labels)
    if message.batch_id:
        fields.identifier(f"{field}.batch_id", message.batch_id)
    fields.known(f"{field}.transfer", message.transfer, _TRANSFERS)
    fields.known(f"{field}.priority", message.priority, _PRIORITIES)
    checksums = _checksums(fields, f"{field}.checksums", message.checksums)
    processing = _processing(fields, f"{field}.processing", message.processing)
    fields.check()
    picture_sizes(processing, field=f"{field}.processing")
    return UploadSpec(
        display_name=message.display_name,
        path=message.path,
        content_type=message.content_type,
        size_bytes=message.size_bytes if message.HasField("size_bytes") else None,
        checksums=checksums,
        collection=message.collection,
        caption=message.caption,
        labels=dict(message.labels),
        batch_id=BatchId(message.batch_id) if message.batch_id else None,
        processing=processing,
        transfer=_TRANSFERS[message.transfer],
        priority=_PRIORITIES[message.priority],
    )


def filter_from_proto(message: pb.UploadFilter, field: str = "filter") -> UploadFilter:
    """Which uploads are meant. Raises FIELD_INVALID."""
    fields = Fields()
    for state in message.states:
        fields.known(f"{field}.states", state, _STATES)
    for kind in message.kinds:
        fields.known(f"{field}.kinds", kind, _KINDS)
    if message.collection:
        fields.name(f"{field}.collection", message.collection)
    if message.batch_id:
        fields.identifier(f"{field}.batch_id", message.batch_id)
    fields.labels(f"{field}.labels", message.labels)
    fields.line(f"{field}.text", message.text, MAX_DISPLAY_NAME)
    fields.require(
        set(message.failure_codes) <= set(FailureCode), f"{field}.failure_codes", "must be codes that this server knows"
    )
    start, end = time_range(fields, f"{field}.create_time_range", message.create_time_range)
    fields.check()
    return UploadFilter(
        states=frozenset(_STATES[number] for number in message.states),
        kinds=frozenset(_KINDS[number] for number in message.kinds),
        collection=message.collection,
        batch_id=message.batch_id,
        labels=dict(message.labels),
        created_from=start,
        created_before=end,
        text=message.text,
        failure_codes=frozenset(map(FailureCode, message.failure_codes)),
    )


def time_range(fields: Fields, path: str, between: pb.TimeRange) -> tuple[datetime | None, datetime | None]:
    """Its two ends, None where it is open."""
    start = fields.time(f"{path}.start_time", between.start_time) if between.HasField("start_time") else None
    end = fields.time(f"{path}.end_time", between.end_time) if between.HasField("end_time") else None
    fields.require(start is None or end is None or start <= end, path, "must not end before it starts")
    return start, end


def watch_filter(message: pb.UploadFilter) -> UploadFilter:
    """Which uploads a watch is about: by what never changes and every event tells. Raises FIELD_INVALID."""
    fields = Fields()
    for field, _ in message.ListFields():
        unfit = field.name in {"labels", "create_time_range", "text"}
        fields.require(not unfit, f"filter.{field.name}", "must be empty in a watch; list uploads by it")
    fields.check()
    return filter_from_proto(message)


def watch_position(
    request: pb.WatchUploadRequest | pb.WatchUploadsRequest | batches_pb2.WatchBatchRequest,
    interval: timedelta = _DEFAULT_INTERVAL,
) -> tuple[Cursor | None, timedelta]:
    """Where a watch goes on, and its least interval between two progress events. Raises FIELD_INVALID.

    A cursor that nobody made is as good as none: it leads to a snapshot.
    """
    fields = Fields()
    if request.HasField("min_interval"):
        interval = fields.span("min_interval", request.min_interval, timedelta(0), _LONGEST_INTERVAL)
    fields.check()
    return Cursor.decode(request.after_cursor), interval


def _checksums(fields: Fields, field: str, message: pb.Checksums) -> Checksums:
    fields.require(len(message.sha256) in {0, 32}, f"{field}.sha256", "must be 32 bytes, or empty")
    return Checksums(crc32c=message.crc32c if message.HasField("crc32c") else None, sha256=message.sha256.hex() or None)


def _processing(fields: Fields, field: str, message: pb.Processing) -> Processing:
    if message.preset:
        fields.name(f"{field}.preset", message.preset)
    fields.require(not (message.preset and message.steps), field, "must have a preset or steps, not both")
    fields.require(len(message.steps) <= _MAX_STEPS, f"{field}.steps", f"must have at most {_MAX_STEPS} entries")
    for index, step in enumerate(message.steps):
        fields.name(f"{field}.steps[{index}].name", step.name)
        fields.labels(f"{field}.steps[{index}].options", step.options)
    steps = tuple(ProcessingStep(name=step.name, options=dict(step.options)) for step in message.steps)
    return Processing(preset=message.preset, steps=steps)
