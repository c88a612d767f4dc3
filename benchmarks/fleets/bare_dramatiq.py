"""Dramatiq and nothing else: `python -m benchmarks.fleets.bare_dramatiq send|work URL SLOTS`, with its defaults."""

from __future__ import annotations

import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.fleets.body import AT_ONCE, body, obey


def main(role: str, url: str, slots: int) -> None:
    """Serve until SIGTERM, or send until the end of the input."""
    broker = RedisBroker(url=url)  # type: ignore[no-untyped-call]
    dramatiq.set_broker(broker)
    actor = dramatiq.actor(body())
    if role == "send":
        with ThreadPoolExecutor(AT_ONCE) as threads:
            obey(lambda count: [*threads.map(lambda _: actor.send(), range(count))].clear())
    else:
        worker = dramatiq.Worker(broker, worker_threads=slots)
        worker.start()
        signal.sigwait({signal.SIGTERM})
        worker.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
