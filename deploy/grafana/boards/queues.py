"""Queues and workers: what waits, for how long, and who works on it."""

from __future__ import annotations

from typing import Final

from deploy.grafana.boards.backlog import BACKLOG, BUSY, CLAIMED, SLOTS, WAIT, messages
from deploy.grafana.boards.common import FINISHED, OLDEST, WAIT_SECONDS
from deploy.grafana.boards.processes import process_row
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
from deploy.grafana.promql import FLEET, KIND, PROCESS, QUEUE, age, quantile, rate, series, total

_QUEUES: Final = Row(
    "Queues",
    [
        Panel(
            title="Each queue",
            means="Jobs by what they wait for: a worker, their next attempt, their end; or for somebody to retry them.",
            do="Waiting with nothing running: that kind has no worker, or is paused.",
            unit=Unit.COUNT,
            shape=Shape.TABLE,
            queries=[
                Query(messages("waiting", "queue"), "Waiting"),
                Query(messages("claimed", "queue"), "Running"),
                Query(messages("delayed", "queue"), "Delayed"),
                Query(messages("dead", "queue"), "Dead"),
                Query(f"max by (queue) ({OLDEST})", "Oldest"),
                Query(f"max by (queue) ({series('mediafleet_queue_paused', QUEUE)})", "Paused"),
            ],
            columns={
                "Dead": Column(Unit.COUNT, none_is_good(Colour.WARNING)),
                "Oldest": Column(Unit.SECONDS, rising(WAIT_SECONDS, 10 * WAIT_SECONDS)),
                "Paused": Column(Unit.COUNT, none_is_good(Colour.WARNING)),
            },
            width=12,
        ),
        Panel(
            title="Waiting, by queue",
            means="Jobs that are due and wait for a worker.",
            do="A hill that sinks is a burst; a slope that does not is too little work done: add workers.",
            unit=Unit.COUNT,
            queries=[Query(messages("waiting", "queue"), "{{queue}}")],
            stacked=True,
            width=12,
            runbooks=("BacklogGrowing",),
        ),
        Panel(
            title="Oldest waits, by queue",
            means="How long the first in line of each queue has been due.",
            do="The line of a stalled queue climbs straight at 45 degrees.",
            unit=Unit.SECONDS,
            steps=rising(WAIT_SECONDS, 10 * WAIT_SECONDS),
            queries=[Query(OLDEST, "{{queue}}")],
            runbooks=("QueueOldest", "QueueStalled"),
        ),
        Panel(
            title="Taken up and finished",
            means="Attempts that begin and that end, per second.",
            do="If fewer end than begin jobs grow longer; if both are flat while work waits, slots are the limit.",
            unit=Unit.PER_SECOND,
            queries=[
                Query(CLAIMED, "taken up"),
                Query(total(rate(FINISHED, KIND)), "finished"),
            ],
        ),
        Panel(
            title="Time to work off what waits",
            means="Waiting jobs by the pace of the last minutes: how long the backlog will last if nothing changes.",
            do="Longer than your people can wait: add workers, or pause bulk imports.",
            unit=Unit.SECONDS,
            steps=rising(5 * WAIT_SECONDS, 30 * WAIT_SECONDS),
            queries=[Query(f"{messages('waiting')} / clamp_min({CLAIMED}, 0.01)", "to go")],
            runbooks=("BacklogGrowing",),
        ),
        Panel(
            title="Wait until taken up",
            means="Time that half and all but a hundredth of the jobs waited.",
            do="p99 over a minute eats the objective: see slots and the oldest.",
            unit=Unit.SECONDS,
            steps=rising(WAIT_SECONDS / 2, WAIT_SECONDS),
            queries=[Query(quantile(q, WAIT, KIND), f"p{q * 100:g}") for q in (0.5, 0.99)],
            runbooks=("QueueWaitBurnFast",),
        ),
        Panel(
            title="Waits",
            means="How many jobs waited how long: the brighter, the more.",
            do="A bright band high up is one tenant's or one kind's backlog; others may still be served at once.",
            unit=Unit.SECONDS,
            shape=Shape.HEATMAP,
            queries=[Query(total(rate(f"{WAIT}_bucket", KIND), "le"), "{{le}}")],
        ),
        Panel(
            title="Open batches and uploads by state",
            means="Records by what they are in. RECEIVING ones wait for their sender.",
            do="RECEIVING that only grows: senders give up half-way. They expire by themselves.",
            unit=Unit.COUNT,
            queries=[
                Query(series("mediafleet_uploads", FLEET, 'state=~"(?i)receiving|queued|processing"'), "{{state}}"),
            ],
        ),
    ],
)

_WORKERS: Final = Row(
    "Workers and housekeeping",
    [
        Panel(
            title="Slots and jobs",
            means="Slots of all workers, and jobs in them.",
            do="Fewer slots than usual: workers are gone. See Rollout for restarts.",
            unit=Unit.COUNT,
            queries=[Query(SLOTS, "slots"), Query(BUSY, "jobs")],
            runbooks=("WorkersDown", "WorkersSaturated"),
        ),
        Panel(
            title="Bells that found nothing",
            means="Wake-ups of workers for which no job was left. A few are the price of losing none.",
            do="Far more than jobs: tell the developers; it costs Redis only.",
            unit=Unit.PER_SECOND,
            queries=[Query(total(rate("mediafleet_duplicate_deliveries_total", PROCESS)), "bells")],
        ),
        Panel(
            title="Housekeeping: time since success",
            means="How long ago each duty was last done to its end.",
            do="Minutes for `leases` or `ring`: dead workers' jobs are not given back. See the log for `duty_failed`.",
            unit=Unit.SECONDS,
            steps=rising(900, 1800),
            queries=[
                Query(
                    age(f"max by (duty) ({series('mediafleet_housekeeping_last_success_timestamp_seconds', PROCESS)})"),
                    "{{duty}}",
                )
            ],
            runbooks=("QueueExporterStale",),
        ),
    ],
)

BOARD: Final = Board(
    "mediafleet-queues",
    "mediafleet / Queues and workers",
    "What waits, for how long, and who works on it.",
    [BACKLOG, _QUEUES, _WORKERS, process_row('job=~".*(worker|housekeeping).*"', loop=False)],
)
