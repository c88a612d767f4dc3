"""Batches as protocol messages."""

from __future__ import annotations

from datetime import timedelta

from mediafleet.v1 import batches_pb2 as pb
from mediafleet.v1 import uploads_pb2
from mediafleet_core.batch_watching import BatchChanged, BatchMessage, BatchProgressed, BatchSnapshot
from mediafleet_core.batches import Batch, BatchState, BatchView, Member
from mediafleet_core.events import Heartbeat
from mediafleet_core.uploads import State, Upload
from mediafleet_gateway.convert import duration, progress_to_proto, timestamp, upload_to_proto

BATCH_STATES = {state: pb.BatchState.Value(f"BATCH_STATE_{state}") for state in BatchState}


def view_to_proto(view: BatchView) -> pb.Batch:
    """The record with its members at work."""
    return batch_to_proto(view.batch, view.running)


def batch_to_proto(batch: Batch, running: tuple[Upload, ...] = ()) -> pb.Batch:
    """The record; members at work as far as they are given."""
    spec = batch.spec
    return pb.Batch(
        batch_id=batch.batch_id,
        tenant=batch.tenant,
        display_name=spec.display_name,
        collection=spec.collection,
        labels=spec.labels,
        state=BATCH_STATES[batch.state],
        expected_items=spec.expected_items,
        progress=_progress(batch, running),
        create_time=timestamp(batch.create_time),
        seal_time=timestamp(batch.seal_time),
        finish_time=timestamp(batch.finish_time),
        revision=batch.revision,
    )


def batch_event_to_proto(message: BatchMessage, batch_id: str, heartbeat: timedelta) -> pb.BatchEvent:
    """One message to a watcher."""
    event = message.event
    made = pb.BatchEvent(
        cursor=message.cursor.encode(),
        sequence=message.cursor.milliseconds,
        event_time=timestamp(message.time),
        batch_id=batch_id,
    )
    match event:
        case BatchSnapshot(view):
            made.snapshot.CopyFrom(view_to_proto(view))
        case BatchChanged(change, view):
            made.state_changed.CopyFrom(
                pb.BatchStateChange(
                    previous_state=(
                        BATCH_STATES[change.previous] if change.previous else pb.BatchState.BATCH_STATE_UNSPECIFIED
                    ),
                    state=BATCH_STATES[change.state],
                    batch=None if view is None else view_to_proto(view),
                )
            )
        case BatchProgressed(view):
            made.progress.CopyFrom(_progress(view.batch, view.running))
        case Heartbeat():
            made.sequence = 0
            made.heartbeat.CopyFrom(uploads_pb2.Heartbeat(interval=duration(heartbeat)))
    return made


def row_to_proto(batch_id: str, member: Member) -> pb.BatchReportRow:
    """One line of a report."""
    upload = upload_to_proto(member.upload)
    row = pb.BatchReportRow(
        batch_id=batch_id,
        upload_id=upload.upload_id,
        display_name=upload.display_name,
        collection=upload.collection,
        kind=upload.kind,
        content_type=upload.content_type,
        state=upload.state,
        deleted=member.deleted,
        size_bytes=upload.size_bytes,
        attempt=upload.attempt,
        renditions=upload.renditions,
        labels=upload.labels,
        path=upload.path,
    )
    for name in ("checksums", "failure", "media_info", "create_time", "start_time", "finish_time"):
        if upload.HasField(name):
            getattr(row, name).CopyFrom(getattr(upload, name))
    return row


def _progress(batch: Batch, running: tuple[Upload, ...]) -> pb.BatchProgress:
    counts = {state.lower(): batch.counts.get(state, 0) for state in State}
    return pb.BatchProgress(
        percent=batch.percent,
        counts=pb.BatchCounts(total=batch.total, **counts),
        bytes_done=batch.bytes_done,
        bytes_total=batch.bytes_total,
        items_per_second=batch.items_per_second,
        eta=duration(batch.eta_seconds),
        running_items=[
            pb.RunningItem(
                upload_id=upload.upload_id,
                display_name=upload.spec.display_name,
                progress=progress_to_proto(upload.progress),
                path=upload.spec.path,
            )
            for upload in running
        ],
    )
