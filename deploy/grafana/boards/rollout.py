"""Rollout: which versions run, whether the new one is worse, and whether anything is lost on the way."""

from __future__ import annotations

from typing import Final

from deploy.grafana.boards.common import (
    FAILED_CALL_STEPS,
    FAILED_WORK,
    FINISHED,
    FINISHED_WORK,
    HANDLED,
    OUR_FAULT,
    OURS,
)
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
from deploy.grafana.promql import PROCESS, age, quantile, rate, series, share, total

_BUILD: Final = series("mediafleet_build_info", PROCESS)
_VERSION: Final = f"on (cluster, namespace, job, instance) group_left (version) {_BUILD}"
_STARTED: Final = series("process_start_time_seconds", PROCESS)


def _by_version(vector: str) -> str:
    return f"sum by (version) ({vector} * {_VERSION})"


_VERSIONS: Final = Row(
    "Versions",
    [
        Panel(
            title="Each part and version",
            means="How many processes of each part run which version.",
            do="Two versions beside one another may run as long as you like; after a rollout one should be gone.",
            unit=Unit.COUNT,
            shape=Shape.TABLE,
            queries=[Query(f"count by (component, version) ({_BUILD})", "Processes")],
            columns={"Processes": Column(Unit.COUNT)},
            runbooks=("VersionSkew",),
        ),
        Panel(
            title="Processes, by version",
            means="The new version's band grows as the old one's shrinks.",
            do="Stuck half-way: new pods do not become ready; see their events. Roll back if errors rise.",
            unit=Unit.COUNT,
            queries=[Query(f"count by (component, version) ({_BUILD})", "{{component}} {{version}}")],
            stacked=True,
            runbooks=("VersionSkew",),
        ),
        Panel(
            title="Age of the youngest process, by job",
            means="Time since the last start in each job.",
            do="Young outside a rollout: pods are restarted. Their last log and events say why.",
            unit=Unit.SECONDS,
            queries=[Query(f"min by (job) ({age(_STARTED)})", "{{job}}")],
        ),
    ],
)

_WORSE: Final = Row(
    "Is the new one worse?",
    [
        Panel(
            title="Calls that fail, by version",
            means="Share of calls that gateways of each version failed to answer.",
            do="The new version above the old one: roll back.",
            unit=Unit.SHARE,
            steps=rising(*FAILED_CALL_STEPS),
            queries=[
                Query(
                    share(
                        _by_version(rate(HANDLED, PROCESS, OURS, OUR_FAULT)),
                        _by_version(rate(HANDLED, PROCESS, OURS)),
                    ),
                    "{{version}}",
                )
            ],
            runbooks=("AvailabilityBurnFast",),
            opens="mediafleet-gateway",
        ),
        Panel(
            title="Duration of unary calls, p99, by gateway",
            means="Slowest hundredth of each gateway's calls.",
            do="Only the new ones slow: give them a minute to warm up, then roll back.",
            unit=Unit.SECONDS,
            steps=rising(0.5, 2),
            queries=[Query(quantile(0.99, "grpc_server_handling_seconds", PROCESS, by=("pod",)), "{{pod}}")],
            opens="mediafleet-gateway",
        ),
        Panel(
            title="Work that fails, by version",
            means="Share of jobs that ended without a result at workers of each version.",
            do="The new version above the old one: roll back, then `mediafleet retry --failed`.",
            unit=Unit.SHARE,
            steps=rising(0.05, 0.2),
            queries=[
                Query(
                    share(
                        _by_version(rate(FINISHED, PROCESS, FAILED_WORK)),
                        _by_version(rate(FINISHED, PROCESS, FINISHED_WORK)),
                    ),
                    "{{version}}",
                )
            ],
            runbooks=("JobFailureRatio",),
            opens="mediafleet-kinds",
        ),
    ],
)

_LOST: Final = Row(
    "Is anything lost on the way?",
    [
        Panel(
            title="Gateways that drain",
            means="Gateways that end: they take no new calls, hand over watches and finish uploads.",
            do="A gateway that drains for longer than its grace is killed; its uploads go on elsewhere.",
            unit=Unit.COUNT,
            steps=none_is_good(Colour.WARNING),
            queries=[Query(series("mediafleet_draining", PROCESS), "{{pod}}")],
            stacked=True,
        ),
        Panel(
            title="Watches handed over",
            means="Watches ended by a drain, and watchers that came back.",
            do="More ends than returns: clients that do not come back by themselves.",
            unit=Unit.PER_SECOND,
            queries=[
                Query(total(rate("mediafleet_watch_closed_total", PROCESS, 'reason="draining"')), "ended by a drain"),
                Query(total(rate("mediafleet_watch_resumes_total", PROCESS)), "came back"),
            ],
            opens="mediafleet-streams",
        ),
        Panel(
            title="Work given back and lost",
            means="Attempts that a worker gave back at its end, and those whose lease ended with their worker.",
            do="released is a drain at work. lost: workers died without one; see their memory and grace.",
            unit=Unit.PER_SECOND,
            queries=[Query(total(rate(FINISHED, PROCESS, 'outcome=~"released|lost"'), "outcome"), "{{outcome}}")],
            opens="mediafleet-kinds",
        ),
        Panel(
            title="Restarts in an hour, by job",
            means="Starts of processes that Prometheus knew before, within the last hour.",
            do="More than a rollout explains: crash loops. See the log of the pod's last run.",
            unit=Unit.COUNT,
            steps=rising(1, 5),
            queries=[Query(f"sum by (job) (changes({_STARTED}[1h]))", "{{job}}")],
            width=12,
        ),
        Panel(
            title="Refused because a gateway drains",
            means="Calls that came to a gateway that was about to end; clients go to the next one.",
            do="Many: load balancers send to ending pods; a longer pause before the drain helps.",
            unit=Unit.CALLS_PER_SECOND,
            steps=rising(1, 10),
            queries=[Query(total(rate("mediafleet_rejected_total", PROCESS, 'reason="DRAINING"')), "refused")],
            width=12,
        ),
    ],
)

BOARD: Final = Board(
    "mediafleet-rollout",
    "mediafleet / Rollout",
    "Which versions run, whether the new one is worse, and whether anything is lost on the way.",
    [_VERSIONS, _WORSE, _LOST],
)
