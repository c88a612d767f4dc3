"""Progress streams: whether watchers hear soon, and the messages that go out by webhook."""

from __future__ import annotations

from typing import Final

from deploy.grafana.model import (
    Board,
    Panel,
    Query,
    Row,
    Shape,
    Unit,
    rising,
)
from deploy.grafana.promql import PROCESS, busiest, quantile, rate, series, share, share_or_all, total

_LAG: Final = "mediafleet_watch_event_lag_seconds"
_RESUMES: Final = "mediafleet_watch_resumes_total"
_TRIES: Final = "mediafleet_webhook_tries_total"

_WATCHES: Final = Row(
    "Watches",
    [
        Panel(
            title="Open",
            means="Watch streams that are open on all gateways.",
            do="A sudden fall is gateways that ended; clients come back by themselves.",
            unit=Unit.COUNT,
            shape=Shape.STAT,
            queries=[Query(f"sum({series('mediafleet_watch_streams', PROCESS)})", "open")],
            width=6,
            height=4,
        ),
        Panel(
            title="From change to watcher, p99",
            means="Time from a state change to its message on a stream, the slowest hundredth.",
            do="Over a second progress bars stutter: look at the gateways' event loop and at Redis.",
            unit=Unit.SECONDS,
            shape=Shape.STAT,
            steps=rising(1, 5),
            queries=[Query(quantile(0.99, _LAG, PROCESS), "p99")],
            width=6,
            height=4,
            runbooks=("WatchLag",),
        ),
        Panel(
            title="Resumed where they were",
            means="Share of returning watchers that missed nothing; the others got a snapshot, which is also true.",
            do="Low after a rollout: clients stay away longer than the log of events lasts.",
            unit=Unit.SHARE,
            shape=Shape.STAT,
            queries=[
                Query(
                    share_or_all(total(rate(_RESUMES, PROCESS, 'outcome="resumed"')), total(rate(_RESUMES, PROCESS))),
                    "resumed",
                )
            ],
            width=6,
            height=4,
        ),
        Panel(
            title="Messages that were merged",
            means="Share of messages that were replaced by newer ones before a slow watcher had read them.",
            do="High: somebody reads slowly. It harms nobody else, and they get the newest state.",
            unit=Unit.SHARE,
            shape=Shape.STAT,
            steps=rising(0.5, 0.9),
            queries=[
                Query(
                    share(
                        total(rate("mediafleet_watch_coalesced_total", PROCESS)),
                        "("
                        + total(rate("mediafleet_watch_coalesced_total", PROCESS))
                        + " + "
                        + total(rate("grpc_server_msg_sent_total", PROCESS, 'grpc_method=~"Watch.*"'))
                        + ")",
                    ),
                    "merged",
                )
            ],
            width=6,
            height=4,
        ),
        Panel(
            title="Open watches, by gateway",
            means="How watchers spread over the gateways.",
            do="Uneven for long: clients hold old connections; they even out as connections grow old.",
            unit=Unit.COUNT,
            queries=[Query(series("mediafleet_watch_streams", PROCESS), "{{pod}}")],
            stacked=True,
        ),
        Panel(
            title="From change to watcher",
            means="Time from a state change to its message on a stream: half of them, and all but a hundredth.",
            do="p99 alone high: some watchers read slowly. Both: a gateway has too much to do, or Redis is slow.",
            unit=Unit.SECONDS,
            steps=rising(1, 5),
            queries=[Query(quantile(q, _LAG, PROCESS), f"p{q * 100:g}") for q in (0.5, 0.99)],
            runbooks=("WatchLag",),
        ),
        Panel(
            title="Lags",
            means="How many messages came how late: the brighter, the more.",
            do="A second band high up is watchers that read slowly.",
            unit=Unit.SECONDS,
            shape=Shape.HEATMAP,
            queries=[Query(total(rate(f"{_LAG}_bucket", PROCESS), "le"), "{{le}}")],
        ),
        Panel(
            title="Messages sent, by method",
            means="Messages on watch streams per second.",
            do="Nothing. Heartbeats alone mean that nothing happens.",
            unit=Unit.PER_SECOND,
            queries=[
                Query(
                    busiest(
                        5, total(rate("grpc_server_msg_sent_total", PROCESS, 'grpc_method=~"Watch.*"'), "grpc_method")
                    ),
                    "{{grpc_method}}",
                )
            ],
        ),
        Panel(
            title="Ends of watches, by reason",
            means="finished: all was told. client: the reader left. draining: a gateway ended. error: ours.",
            do="error: see the log of the gateways. draining outside a rollout: somebody ends pods.",
            unit=Unit.PER_SECOND,
            queries=[Query(total(rate("mediafleet_watch_closed_total", PROCESS), "reason"), "{{reason}}")],
            stacked=True,
        ),
        Panel(
            title="Returns, by outcome",
            means="Watchers that came back with a cursor.",
            do="Many in a wave: a gateway ended.",
            unit=Unit.PER_SECOND,
            queries=[Query(total(rate(_RESUMES, PROCESS), "outcome"), "{{outcome}}")],
        ),
    ],
)

_WEBHOOKS: Final = Row(
    "Webhooks",
    [
        Panel(
            title="Tries, by outcome",
            means="Messages that were sent to receivers, by what came of it.",
            do="Others than delivered: that receiver refuses or is away; it is tried again for days.",
            unit=Unit.PER_SECOND,
            queries=[Query(total(rate(_TRIES, PROCESS), "outcome"), "{{outcome}}")],
            stacked=True,
        ),
        Panel(
            title="Not delivered yet, and given up",
            means="Messages that wait for their next try, and those that were given up in the last hour.",
            do="Given up: tell the tenant; `mediafleet webhooks replay` sends them again.",
            unit=Unit.COUNT,
            steps=rising(1_000, 10_000),
            queries=[
                Query(f"max({series('mediafleet_webhook_pending', PROCESS)})", "not delivered yet"),
                Query(
                    f"sum(increase({series('mediafleet_webhook_given_up_total', PROCESS)}[1h]))", "given up in an hour"
                ),
            ],
        ),
        Panel(
            title="Duration of a try, p99",
            means="How long receivers take to answer.",
            do="Near the time-out (10 s unless set): that receiver is overloaded.",
            unit=Unit.SECONDS,
            steps=rising(5, 10),
            queries=[Query(quantile(0.99, "mediafleet_webhook_duration_seconds", PROCESS), "p99")],
        ),
    ],
)

BOARD: Final = Board(
    "mediafleet-streams",
    "mediafleet / Progress streams",
    "Whether watchers hear soon, and what goes out by webhook.",
    [_WATCHES, _WEBHOOKS],
)
