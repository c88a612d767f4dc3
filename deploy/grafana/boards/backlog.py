"""The first line of Queues and workers: is there a backlog, and why?"""

from __future__ import annotations

from typing import Final

from deploy.grafana.boards.common import OLDEST, WAIT_OBJECTIVE, WAIT_SECONDS
from deploy.grafana.model import (
    Colour,
    Panel,
    Query,
    Row,
    Shape,
    Unit,
    falling,
    none_is_good,
    rising,
)
from deploy.grafana.promql import KIND, PROCESS, QUEUE, rate, series, share, share_or_all, total

_MESSAGES: Final = "mediafleet_queue_messages"
WAIT: Final = "mediafleet_job_queue_wait_seconds"


def messages(state: str, *by: str) -> str:
    """Jobs of the chosen queues in a state."""
    return total(series(_MESSAGES, QUEUE, f'state="{state}"'), *by)


SLOTS: Final = total(f"max by (job, pod) ({series('mediafleet_worker_slots', PROCESS)})")
BUSY: Final = total(series("mediafleet_jobs_in_progress", PROCESS))
CLAIMED: Final = total(rate("mediafleet_jobs_started_total", KIND))

BACKLOG: Final = Row(
    "Now",
    [
        Panel(
            title="Jobs started within a minute",
            means=f"Share of jobs that waited at most {WAIT_SECONDS} s. The objective is {WAIT_OBJECTIVE:.0%}.",
            do="Below it people wait. If all slots are taken add workers; if not, find out why workers take nothing.",
            unit=Unit.SHARE,
            shape=Shape.STAT,
            steps=falling(WAIT_OBJECTIVE, 0.9),
            queries=[
                Query(
                    share_or_all(
                        total(rate(f"{WAIT}_bucket", KIND, f'le="{WAIT_SECONDS}.0"')),
                        total(rate(f"{WAIT}_count", KIND)),
                    ),
                    "in time",
                )
            ],
            width=4,
            height=5,
            runbooks=("QueueWaitBurnFast", "QueueWaitBurnSlow"),
        ),
        Panel(
            title="Waiting",
            means="Jobs that are due and that nobody works on.",
            do="A number alone says little: see how long they wait and how fast work is done.",
            unit=Unit.COUNT,
            shape=Shape.STAT,
            queries=[Query(messages("waiting"), "waiting")],
            width=4,
            height=5,
            runbooks=("BacklogGrowing",),
        ),
        Panel(
            title="Oldest waits",
            means="How long the first in line of the slowest queue has been due.",
            do="Growing by a second each second: nothing is taken from that queue. Paused? No workers?",
            unit=Unit.SECONDS,
            shape=Shape.STAT,
            steps=rising(WAIT_SECONDS, 10 * WAIT_SECONDS),
            queries=[Query(f"max({OLDEST})", "oldest")],
            width=4,
            height=5,
            runbooks=("QueueOldest", "QueueStalled"),
        ),
        Panel(
            title="Slots taken",
            means="Share of the workers' slots that have a job.",
            do="All taken and work waiting: more workers. Few taken and work waiting: workers cannot claim.",
            unit=Unit.SHARE,
            shape=Shape.STAT,
            steps=rising(0.8, 0.95),
            queries=[Query(share(BUSY, SLOTS), "taken")],
            width=4,
            height=5,
            runbooks=("WorkersSaturated",),
        ),
        Panel(
            title="Dead letters",
            means="FAILED uploads whose original is kept so that they can be tried again.",
            do="List them by their code; when the cause is mended: `mediafleet retry --failed`.",
            unit=Unit.COUNT,
            shape=Shape.STAT,
            steps=none_is_good(Colour.WARNING),
            queries=[Query(messages("dead"), "dead")],
            width=4,
            height=5,
            runbooks=("DeadLetters",),
        ),
        Panel(
            title="Paused queues",
            means="Queues that hand out no work because somebody paused them.",
            do="`mediafleet fleet` says since when and why; `mediafleet resume QUEUE` goes on.",
            unit=Unit.COUNT,
            shape=Shape.STAT,
            steps=none_is_good(Colour.WARNING),
            queries=[Query(f"sum({series('mediafleet_queue_paused', QUEUE)})", "paused")],
            width=4,
            height=5,
            runbooks=("QueueStalled",),
        ),
    ],
)
