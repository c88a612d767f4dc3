"""Kinds of work: what becomes of pictures, sound, films, documents and the rest, and what they cost."""

from __future__ import annotations

from typing import Final

from deploy.grafana.boards.common import FAILED_WORK, FINISHED, FINISHED_WORK
from deploy.grafana.model import (
    Board,
    Colour,
    Column,
    Panel,
    Query,
    Row,
    Shape,
    Unit,
    none_is_good,
    rising,
)
from deploy.grafana.promql import KIND, PROCESS, mean, or_none, quantile, rate, series, share, total

_STAGE: Final = "mediafleet_job_duration_seconds"


def _failing(*by: str) -> str:
    return share(total(rate(FINISHED, KIND, FAILED_WORK), *by), total(rate(FINISHED, KIND, FINISHED_WORK), *by))


_ENDS: Final = Row(
    "What becomes of it",
    [
        Panel(
            title="Each kind",
            means="Finished per second, share of failures, time of the slowest hundredth, and what runs now.",
            do="The choice of queue above narrows the whole board to a kind.",
            unit=Unit.COUNT,
            shape=Shape.TABLE,
            queries=[
                Query(total(rate(FINISHED, KIND, FINISHED_WORK), "kind"), "Per second"),
                Query(_failing("kind"), "Failing"),
                Query(quantile(0.99, _STAGE, KIND, 'stage="process"', by=("kind",)), "Process, p99"),
                Query(total(series("mediafleet_jobs_in_progress", KIND), "kind"), "Running"),
            ],
            columns={
                "Per second": Column(Unit.PER_SECOND),
                "Failing": Column(Unit.SHARE, rising(0.05, 0.2)),
                "Process, p99": Column(Unit.SECONDS),
            },
            width=12,
        ),
        Panel(
            title="Share that fails, by kind",
            means="Jobs that ended without a result, of all that ended.",
            do="One kind: its decoder or a limit; list its failures by code. All kinds: storage or the sandbox.",
            unit=Unit.SHARE,
            steps=rising(0.05, 0.2),
            queries=[Query(_failing("kind"), "{{kind}}")],
            width=12,
            runbooks=("JobFailureRatio",),
        ),
        Panel(
            title="Finished, by kind",
            means="Jobs that ended for good, per second.",
            do="Nothing while work waits: open Queues and workers.",
            unit=Unit.PER_SECOND,
            queries=[Query(total(rate(FINISHED, KIND, FINISHED_WORK), "kind"), "{{kind}}")],
            stacked=True,
            width=12,
            opens="mediafleet-queues",
        ),
        Panel(
            title="Attempts, by outcome",
            means="How attempts end. `retried` and `timed_out` come again, `released` and `lost` go to another worker.",
            do="Many `lost`: workers die, see their memory. Many `retried`: storage or a decoder that wavers.",
            unit=Unit.PER_SECOND,
            queries=[Query(total(rate(FINISHED, KIND), "outcome"), "{{outcome}}")],
            stacked=True,
            width=12,
            runbooks=("JobFailureRatio",),
        ),
        Panel(
            title="Failures, by code",
            means="Attempts that failed, by the code that the upload's record has.",
            do="CORRUPT_MEDIA and the like are the file's own. STORAGE_*, TIMED_OUT, OUT_OF_MEMORY, INTERNAL are ours.",
            unit=Unit.PER_SECOND,
            queries=[Query(or_none(total(rate("mediafleet_job_failures_total", KIND), "code"), "code"), "{{code}}")],
            width=12,
            runbooks=("JobFailureRatio",),
        ),
        Panel(
            title="Children killed, by reason",
            means="Sandboxed decoders that did not end by themselves.",
            do="out_of_memory, timed_out: files beyond the limits. crashed: a decoder's bug. See the files' records.",
            unit=Unit.PER_SECOND,
            steps=rising(0.1, 1),
            queries=[Query(total(rate("mediafleet_sandbox_kills_total", PROCESS), "reason"), "{{reason}}")],
            width=12,
            runbooks=("JobFailureRatio",),
        ),
    ],
)

_COSTS: Final = Row(
    "What it costs",
    [
        Panel(
            title="Time of each stage, p99",
            means="Slowest hundredth of fetching, processing, storing and committing.",
            do="fetch and store: storage. commit: Redis. process: large files or too little CPU.",
            unit=Unit.SECONDS,
            steps=rising(30, 120),
            queries=[Query(quantile(0.99, _STAGE, KIND, by=("stage",)), "{{stage}}")],
        ),
        Panel(
            title="Time of processing, by kind",
            means="Half of the jobs of a kind take no longer.",
            do="Compare with a usual day, and with CPU: more time for the same CPU means that workers share cores.",
            unit=Unit.SECONDS,
            queries=[Query(quantile(0.5, _STAGE, KIND, 'stage="process"', by=("kind",)), "{{kind}}")],
        ),
        Panel(
            title="Times of processing",
            means="How many jobs took how long: the brighter, the more.",
            do="A second band far above the first is one kind of file that is costly; see the records of slow ones.",
            unit=Unit.SECONDS,
            shape=Shape.HEATMAP,
            queries=[Query(total(rate(f"{_STAGE}_bucket", KIND, 'stage="process"'), "le"), "{{le}}")],
        ),
        Panel(
            title="CPU of a job",
            means="Mean CPU seconds of a job's child, by kind.",
            do="For sizing: jobs per second times this is the cores that a kind needs.",
            unit=Unit.SECONDS,
            queries=[Query(mean("mediafleet_job_cpu_seconds", KIND, by=("kind",)), "{{kind}}")],
        ),
        Panel(
            title="Peak memory of a job, p99",
            means="Most memory that all but a hundredth of the children had.",
            do="Near its limit jobs fail with OUT_OF_MEMORY: raise MEDIAFLEET_JOB_MEMORY, and the pod's with it.",
            unit=Unit.BYTES,
            queries=[Query(quantile(0.99, "mediafleet_job_peak_memory_bytes", KIND, by=("kind",)), "{{kind}}")],
        ),
        Panel(
            title="Attempts of a job",
            means="Mean number of attempts of a job when it ended.",
            do="Well over 1: things fail and come again; the outcomes above say why.",
            unit=Unit.COUNT,
            decimals=2,
            steps=rising(1.5, 2.5),
            queries=[Query(mean("mediafleet_job_attempts", KIND, by=("kind",)), "{{kind}}")],
        ),
        Panel(
            title="Running, by kind",
            means="Attempts that are under way.",
            do="Nothing; see Queues and workers for the slots.",
            unit=Unit.COUNT,
            queries=[Query(total(series("mediafleet_jobs_in_progress", KIND), "kind"), "{{kind}}")],
            stacked=True,
            width=12,
        ),
        Panel(
            title="Dead letters, by kind",
            means="FAILED uploads whose original is kept so that they can be tried again.",
            do="`mediafleet list --state failed` and then, when the cause is mended, `mediafleet retry --failed`.",
            unit=Unit.COUNT,
            steps=none_is_good(Colour.WARNING),
            queries=[
                Query(
                    'sum by (queue) (mediafleet_queue_messages{cluster=~"$cluster", namespace=~"$namespace", '
                    'queue=~"$queue", state="dead"})',
                    "{{queue}}",
                )
            ],
            width=12,
            runbooks=("DeadLetters",),
        ),
    ],
)

BOARD: Final = Board(
    "mediafleet-kinds",
    "mediafleet / Kinds of work",
    "What becomes of pictures, sound, films, documents and the rest, and what they cost.",
    [_ENDS, _COSTS],
)
