"""Core's records as protocol messages."""

from __future__ import annotations

from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core import events
from mediafleet_core.failures import Failure
from mediafleet_core.media_types import MediaKind
from mediafleet_core.progress import Progress
from mediafleet_core.uploads import (
    Checksums,
    ImageInfo,
    MediaInfo,
    Priority,
    Processing,
    Rendition,
    StageTiming,
    State,
    Transfer,
    Upload,
)

STATES = {state: pb.UploadState.Value(f"UPLOAD_STATE_{state}") for state in State}
KINDS = {kind: pb.MediaKind.Value(f"MEDIA_KIND_{kind}") for kind in MediaKind}
TRANSFERS = {transfer: pb.Transfer.Value(f"TRANSFER_{transfer}") for transfer in Transfer}
PRIORITIES = {priority: pb.Priority.Value(f"PRIORITY_{priority}") for priority in Priority}


def timestamp(time: datetime | None) -> Timestamp | None:
    """None stays absent."""
    if time is None:
        return None
    made = Timestamp()
    made.FromDatetime(time)
    return made


def duration(span: timedelta | float | None) -> Duration | None:
    """From a span or from seconds; None stays absent."""
    if span is None:
        return None
    made = Duration()
    made.FromTimedelta(span if isinstance(span, timedelta) else timedelta(seconds=span))
    return made


def checksums_to_proto(checksums: Checksums) -> pb.Checksums | None:
    """Absent when nothing is known."""
    if checksums.crc32c is None and checksums.sha256 is None:
        return None
    return pb.Checksums(crc32c=checksums.crc32c, sha256=bytes.fromhex(checksums.sha256 or ""))


def upload_to_proto(upload: Upload) -> pb.Upload:
    """The whole record as its owner may see it."""
    spec = upload.spec
    return pb.Upload(
        upload_id=upload.upload_id,
        tenant=upload.tenant,
        collection=spec.collection,
        display_name=spec.display_name,
        content_type=upload.content_type,
        declared_content_type=spec.content_type,
        kind=KINDS[upload.kind],
        state=STATES[upload.state],
        size_bytes=upload.size_bytes,
        committed_size=upload.committed_size,
        checksums=checksums_to_proto(upload.checksums),
        labels=upload.labels,
        caption=upload.caption,
        progress=progress_to_proto(upload.progress),
        attempt=upload.attempt,
        max_attempts=upload.max_attempts,
        next_attempt_time=timestamp(upload.next_attempt_time),
        failure=failure_to_proto(upload.failure, stored=bool(upload.original_key)),
        renditions=map(_rendition, upload.renditions),
        media_info=_media_info(upload.media_info),
        batch_id=spec.batch_id or "",
        create_time=timestamp(upload.create_time),
        start_time=timestamp(upload.start_time),
        finish_time=timestamp(upload.finish_time),
        expire_time=timestamp(upload.expire_time),
        revision=upload.revision,
        transfer=TRANSFERS[spec.transfer],
        priority=PRIORITIES[spec.priority],
        processing=_processing(spec.processing),
        stage_timings=map(_timing, upload.timings),
        request_id=upload.request_id,
        path=spec.path,
    )


def progress_to_proto(progress: Progress) -> pb.Progress:
    """The same fields."""
    return pb.Progress(
        series=progress.series,
        percent=progress.percent,
        work_percent=progress.work_percent,
        stage=progress.stage,
        step=progress.step,
        bytes_done=progress.bytes_done,
        bytes_total=progress.bytes_total,
        items_done=progress.items_done,
        items_total=progress.items_total,
        eta=duration(progress.eta_seconds),
        attempt=progress.attempt,
    )


def failure_to_proto(failure: Failure | None, *, stored: bool) -> pb.Failure | None:
    """With the words for people, as they fit an original that is `stored` or not; evidence stays with operators."""
    if failure is None:
        return None
    return pb.Failure(
        code=failure.code,
        stage=failure.stage,
        retryable=failure.rule.retryable,
        message=failure.rule.message,
        next_step=failure.next_step(stored=stored),
        detail=failure.detail,
        attempts=[
            pb.FailedAttempt(time=timestamp(tried.time), code=tried.code, worker=tried.worker, stage=tried.stage)
            for tried in failure.attempts
        ],
    )


def event_to_proto(
    message: events.Message[events.WatchEvent], heartbeat: timedelta, upload: Upload | None = None
) -> pb.UploadEvent:
    """One message to a watcher; `upload` is the record that goes with a state change."""
    event = message.event
    made = pb.UploadEvent(
        cursor=message.cursor.encode() if message.cursor is not None else "", event_time=timestamp(event.time)
    )
    match event:
        case events.Snapshot():
            made.upload_id, made.sequence = event.upload.upload_id, event.upload.sequence
            made.tenant = event.upload.tenant
            made.snapshot.CopyFrom(upload_to_proto(event.upload))
        case events.Heartbeat():
            made.heartbeat.CopyFrom(pb.Heartbeat(interval=duration(heartbeat)))
        case events.About():
            made.upload_id, made.sequence, made.tenant = event.upload_id, event.sequence, event.tenant
    match event:
        case events.StateChanged():
            made.state_changed.CopyFrom(
                pb.StateChange(
                    previous_state=STATES[event.previous] if event.previous else pb.UPLOAD_STATE_UNSPECIFIED,
                    state=STATES[event.state],
                    upload=upload_to_proto(upload) if upload is not None else None,
                    progress=progress_to_proto(event.progress),
                    attempt=event.attempt,
                    max_attempts=event.max_attempts,
                    next_attempt_time=timestamp(event.next_attempt_time),
                    failure=failure_to_proto(event.failure, stored=upload is None or bool(upload.original_key)),
                )
            )
        case events.ProgressMade():
            made.progress.CopyFrom(progress_to_proto(event.progress))
        case events.Deleted():
            made.deleted.SetInParent()
    return made


def _timing(timing: StageTiming) -> pb.StageTiming:
    return pb.StageTiming(
        stage=timing.stage,
        duration=duration(timing.seconds),
        cpu=duration(timing.cpu_seconds or None),
        peak_memory_bytes=timing.peak_memory,
    )


def _rendition(rendition: Rendition) -> pb.Rendition:
    return pb.Rendition(
        name=rendition.name,
        content_type=rendition.content_type,
        width=rendition.width,
        height=rendition.height,
        size_bytes=rendition.size_bytes,
        checksums=pb.Checksums(sha256=bytes.fromhex(rendition.sha256)),
    )


def _media_info(info: MediaInfo | None) -> pb.MediaInfo | None:
    match info:
        case ImageInfo():
            return pb.MediaInfo(
                image=pb.ImageInfo(
                    width=info.width,
                    height=info.height,
                    orientation=info.orientation,
                    has_alpha=info.has_alpha,
                    frames=info.frames,
                    color_mode=info.mode,
                    camera_make=info.camera_make,
                    camera_model=info.camera_model,
                    taken_time=timestamp(info.taken_time),
                    has_location=info.has_location,
                )
            )
        case None:
            return None


def _processing(processing: Processing) -> pb.Processing | None:
    if not processing.preset and not processing.steps:
        return None
    steps = [pb.ProcessingStep(name=step.name, options=step.options) for step in processing.steps]
    return pb.Processing(preset=processing.preset, steps=steps)
