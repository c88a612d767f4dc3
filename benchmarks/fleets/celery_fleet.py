"""Celery, in an environment of its own: `python -m benchmarks.fleets.celery_fleet send|work URL SLOTS`."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from celery import Celery

from benchmarks.fleets.body import AT_ONCE, body, obey


def main(role: str, url: str, slots: int) -> None:
    """Serve until SIGTERM with a prefork pool, or send until the end of the input; settings are Celery's defaults."""
    app = Celery(broker=url)
    nothing = app.task(body(), name="nothing", ignore_result=True)
    if role == "send":
        with ThreadPoolExecutor(AT_ONCE) as threads:
            obey(lambda count: [*threads.map(lambda _: nothing.delay(), range(count))].clear())
    else:
        app.worker_main(["worker", "--pool", "prefork", "--concurrency", str(slots), "--loglevel", "WARNING"])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
