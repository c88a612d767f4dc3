"""Jobs that do nothing: ours through the whole ledger against bare Dramatiq and Celery, in the same run.

Ours is the worker process as it is, from the bell to the manifest; only storage keeps nothing, and the child is stubbed
out unless the child is what is measured (`benchmarks/fleets/ours.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import redis

from benchmarks.fleets import celery_venv
from benchmarks.fleets.fleet import fleets
from benchmarks.fleets.ours import SANDBOX
from benchmarks.pairs import Pair, measure

JOBS = 1_000
"""Jobs of one round."""

IN_CHILDREN = 200
"""The same, where each has a child of its own."""

SINGLES = 6
"""Jobs of one round that meet an idle fleet, one after the other."""

PAUSE = 1.5
"""Seconds of nothing before each: until Dramatiq's workers look at their queue as seldom as they ever do."""


def _ours(client: redis.Redis, jobs: int) -> bool:
    return int(client.hget("mf:states", "SUCCEEDED") or 0) >= jobs


def _dramatiq(client: redis.Redis, _: int) -> bool:
    return not client.hlen("dramatiq:default.msgs")


def _celery(client: redis.Redis, _: int) -> bool:
    return not client.llen("celery") and not client.hlen("unacked")


def run(rounds: int) -> Iterator[Pair]:
    """Jobs per second and the start of a single one against both peers, and what a child costs."""
    with fleets() as fleet:
        ours = fleet("ours", _ours).start()
        dramatiq = fleet("bare_dramatiq", _dramatiq).start()
        celery = fleet("celery_fleet", _celery).start(celery_venv.python(), slots=2)
        yield measure(
            "No-op jobs, one process with 8 slots",
            "jobs/s",
            ("whole ledger path", lambda: ours.rate(JOBS)),
            ("bare Dramatiq, 8 threads", lambda: dramatiq.rate(JOBS)),
            rounds=rounds,
        )
        for peer, name in ((dramatiq, "bare Dramatiq"), (celery, "Celery")):
            yield measure(
                "An idle fleet, from sending to start",
                "ms",
                ("whole ledger path", lambda: ours.latency(PAUSE)),
                (name, partial(peer.latency, 0)),  # it was idle as long
                rounds=rounds * SINGLES,
            )
    with fleets() as fleet:
        two = fleet("ours", _ours).start(processes=2)
        celery = fleet("celery_fleet", _celery).start(celery_venv.python(), slots=2)
        yield measure(
            "No-op jobs, two processes",
            "jobs/s",
            ("whole ledger path", lambda: two.rate(JOBS)),
            ("Celery, prefork 2", lambda: celery.rate(JOBS)),
            rounds=rounds,
        )
    with fleets() as fleet:
        sandboxed = fleet("ours", _ours).start(environment={SANDBOX: "1"})
        in_process = fleet("ours", _ours).start()
        yield measure(
            "One no-op job",
            "ms of CPU",
            ("in a sandboxed child", lambda: sandboxed.cpu(IN_CHILDREN)),
            ("in the worker's process", lambda: in_process.cpu(IN_CHILDREN)),
            rounds=rounds,
        )
