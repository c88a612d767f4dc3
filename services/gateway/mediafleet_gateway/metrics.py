"""The gateway's metrics; standard names for gRPC, `mediafleet_` for the rest. Every label set exists from the start."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from mediafleet_core.errors import Reason

MIB = 1 << 20
_CALL = ["grpc_type", "grpc_service", "grpc_method"]

STARTED = Counter("grpc_server_started", "RPCs started.", _CALL)
HANDLED = Counter("grpc_server_handled", "RPCs completed, by status code.", [*_CALL, "grpc_code"])
RECEIVED = Counter("grpc_server_msg_received", "Messages received.", _CALL)
SENT = Counter("grpc_server_msg_sent", "Messages sent.", _CALL)
HANDLING = Histogram(
    "grpc_server_handling_seconds",
    "Time from start to end of unary RPCs.",
    _CALL,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
IN_FLIGHT = Gauge("mediafleet_inflight_rpcs", "RPCs under way.", ["method"])
REJECTED = Counter("mediafleet_rejected", "RPCs refused or failed, by reason.", ["reason"])
QUOTA_REJECTED = Counter("mediafleet_quota_rejections", "Uploads refused for want of quota, by quota.", ["quota"])
DRAINING = Gauge("mediafleet_draining", "1 while this gateway drains.")
LOOP_LAG = Histogram(
    "mediafleet_event_loop_lag_seconds",
    "How much later than asked for the event loop wakes a task.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
INGEST = Counter("mediafleet_ingest_bytes", "Bytes of content received by writes.")
UPLOAD_SIZE = Histogram(
    "mediafleet_upload_size_bytes",
    "Size of originals at their finish.",
    buckets=(1 << 14, 1 << 17, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 256 * MIB, 1024 * MIB, 4096 * MIB),
)
UPLOADS_IN_FLIGHT = Gauge("mediafleet_uploads_in_flight", "Uploads that are admitted and send bytes.")
UPLOAD_BYTES_IN_FLIGHT = Gauge("mediafleet_upload_bytes_in_flight", "Bytes of memory that those uploads may hold.")
WATCHES = Gauge("mediafleet_watch_streams", "Watch streams that are open.")
WATCH_CLOSED = Counter("mediafleet_watch_closed", "Watch streams that ended, by reason.", ["reason"])
WATCH_LAG = Histogram(
    "mediafleet_watch_event_lag_seconds",
    "Time from an upload's state change to its message on a watch stream that was open then.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
WATCH_RESUMES = Counter(
    "mediafleet_watch_resumes", "Watches that came with a cursor, by what became of it.", ["outcome"]
)

for _reason in Reason:
    REJECTED.labels(_reason)
for _quota in ("tenant_bytes", "collection_bytes"):
    QUOTA_REJECTED.labels(_quota)
for _end in ("finished", "client", "draining", "error"):
    WATCH_CLOSED.labels(_end)
for _outcome in ("resumed", "snapshot"):
    WATCH_RESUMES.labels(_outcome)


def count_resume(resumed: bool) -> None:
    """A watch came with a cursor; where that was too old, it begins with a snapshot."""
    WATCH_RESUMES.labels("resumed" if resumed else "snapshot").inc()
