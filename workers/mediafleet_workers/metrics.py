"""What workers count. Every expected label set exists from the start."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from mediafleet_core.failures import FailureCode
from mediafleet_core.media_types import MediaKind
from mediafleet_core.progress.expected import STAGES

OUTCOMES = ("succeeded", "failed", "timed_out", "cancelled", "retried", "released", "lost")
FINAL = ("succeeded", "failed", "timed_out")
"""Of these, ends after which nothing is tried any more."""
KILL_REASONS = ("cancelled", "lease_lost", "drained", "timed_out", "out_of_memory", "crashed")

_WAITS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
_DURATIONS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_SIZES = tuple(mebibytes << 20 for mebibytes in (64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192))

STARTED = Counter("mediafleet_jobs_started", "Attempts begun.", ["kind"])
FINISHED = Counter("mediafleet_jobs_finished", "Attempts ended, by what became of the job.", ["kind", "outcome"])
FAILURES = Counter("mediafleet_job_failures", "Attempts that failed, by why.", ["kind", "code"])
ATTEMPTS = Histogram(
    "mediafleet_job_attempts",
    "Attempts that a job took until it succeeded or failed for good.",
    ["kind"],
    buckets=(1, 2, 3, 4, 5),
)
QUEUE_WAIT = Histogram(
    "mediafleet_job_queue_wait_seconds", "Time from when a job was due until it was claimed.", ["kind"], buckets=_WAITS
)
DURATION = Histogram(
    "mediafleet_job_duration_seconds", "Time that a stage of an attempt took.", ["kind", "stage"], buckets=_DURATIONS
)
PEAK_MEMORY = Histogram(
    "mediafleet_job_peak_memory_bytes", "Most memory that a job's child had resident.", ["kind"], buckets=_SIZES
)
CPU = Histogram("mediafleet_job_cpu_seconds", "CPU time that a job's child used.", ["kind"], buckets=_DURATIONS)
IN_PROGRESS = Gauge("mediafleet_jobs_in_progress", "Attempts that are running.", ["kind"])
DUPLICATES = Counter("mediafleet_duplicate_deliveries", "Bells that found nothing to do.")
KILLS = Counter("mediafleet_sandbox_kills", "Sandboxed children that did not end by themselves.", ["reason"])
SLOTS = Gauge("mediafleet_worker_slots", "Jobs that this process does at once for a queue.", ["queue"])

for _kind in MediaKind:
    STARTED.labels(_kind)
    ATTEMPTS.labels(_kind)
    SLOTS.labels(_kind.lower())
    QUEUE_WAIT.labels(_kind)
    PEAK_MEMORY.labels(_kind)
    CPU.labels(_kind)
    IN_PROGRESS.labels(_kind)
    for _outcome in OUTCOMES:
        FINISHED.labels(_kind, _outcome)
    for _code in FailureCode:
        FAILURES.labels(_kind, _code)
    for _stage in STAGES:
        DURATION.labels(_kind, _stage)
for _reason in KILL_REASONS:
    KILLS.labels(_reason)
