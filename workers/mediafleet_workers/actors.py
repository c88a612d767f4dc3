"""The Dramatiq side: the actor that answers bells, in a worker that runs inside this process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from dramatiq import Actor, Worker
from dramatiq.brokers.redis import RedisBroker

from mediafleet_core.media_types import MediaKind
from mediafleet_core.queue import ACTOR_NAME, queue_name
from mediafleet_workers import metrics

_IDLE = 50
"""Milliseconds between two looks at an idle queue; Dramatiq's own 1000 would let a bell wait for half a second."""


def listen(
    broker: RedisBroker, kinds: Sequence[MediaKind], slots: int, answer: Callable[[], Coroutine[Any, Any, None]]
) -> Worker | None:
    """A worker, not started, with `slots` threads that hear the bells of `kinds`; None without any.

    `answer` runs on the event loop that is running now; its thread only waits, so a slot does one job at a time.
    """
    if not kinds:
        return None
    loop = asyncio.get_running_loop()

    def work() -> None:
        asyncio.run_coroutine_threadsafe(answer(), loop).result()

    Actor(work, broker=broker, actor_name=ACTOR_NAME, queue_name=queue_name(kinds[0]), priority=0, options={})
    for kind in kinds:
        metrics.SLOTS.labels(queue_name(kind)).set(slots)
        broker.declare_queue(queue_name(kind))
    worker = Worker(broker, worker_timeout=_IDLE, worker_threads=slots)
    worker.queue_prefetch = worker.delay_prefetch = slots  # a bell that waits here could be heard elsewhere
    return worker
