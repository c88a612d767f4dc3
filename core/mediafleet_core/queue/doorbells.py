"""The Dramatiq adapter of `JobQueue`. It knows the actor by name only, so a gateway carries no worker code."""

from __future__ import annotations

import asyncio

import redis
import structlog
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from redis.backoff import NoBackoff
from redis.retry import Retry

from mediafleet_core.media_types import MediaKind
from mediafleet_core.queue.settings import QueueSettings

_log = structlog.get_logger(__name__)

ACTOR_NAME = "work"
"""The actor that answers bells, on every kind's queue; it takes no argument."""

_PAUSE = 0.02
"""Least seconds between two bells of a kind; a worker that has nothing to do looks for bells less often."""

_LAST_BELLS = 2.0
"""Seconds that bells may take after the end."""


def queue_name(kind: MediaKind) -> str:
    """The Dramatiq queue of a kind of work."""
    return kind.lower()


def open_broker(settings: QueueSettings) -> RedisBroker:
    """A broker without middleware: retries, time limits and results are the ledger's business.

    Bells of a worker that was killed are rung elsewhere within about the heartbeat time-out plus ten seconds. Connects
    at the first use.
    """
    seconds = settings.broker_timeout.total_seconds()
    client = redis.Redis.from_url(
        settings.broker_url,
        protocol=2,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 1),
    )
    return _Broker(  # type: ignore[no-untyped-call]
        client=client,
        middleware=[],
        namespace=settings.broker_namespace,
        heartbeat_timeout=round(settings.broker_heartbeat_timeout.total_seconds() * 1000),
        maintenance_chance=settings.broker_maintenance_chance,
    )


class _Broker(RedisBroker):
    """No bell is delayed, so no worker need look for any that are: half of what it asks Redis while it is idle."""

    def get_declared_delay_queues(self) -> set[str]:
        """None that a worker should consume."""
        return set()


class DramatiqQueue:
    """`JobQueue` over a broker, with one bell of a kind under way at a time.

    Bells are rung in threads, because Dramatiq's broker is synchronous.
    """

    def __init__(self, broker: RedisBroker) -> None:
        self._broker = broker
        self._wanted: set[MediaKind] = set()
        self._ringers: dict[MediaKind, asyncio.Task[None]] = {}

    def ring(self, kind: MediaKind) -> None:
        """Wake one worker slot of this kind, unless a bell that nobody has heard yet will do so."""
        self._wanted.add(kind)
        if kind not in self._ringers:
            self._ringers[kind] = asyncio.create_task(self._ring_while_wanted(kind), name=f"bells-{kind}")

    async def close(self) -> None:
        """Let bells under way arrive, though not for long, and release connections."""
        if ringers := list(self._ringers.values()):
            _, late = await asyncio.wait(ringers, timeout=_LAST_BELLS)
            for ringer in late:
                ringer.cancel()
        await asyncio.to_thread(self._broker.client.close)

    async def _ring_while_wanted(self, kind: MediaKind) -> None:
        try:
            while kind in self._wanted:
                self._wanted.remove(kind)  # before the bell begins: who rings from here on wants another
                try:
                    await asyncio.to_thread(self._enqueue, kind)
                except Exception:
                    _log.warning("bell_lost", kind=kind, exc_info=True)
                await asyncio.sleep(_PAUSE)
        finally:
            del self._ringers[kind]

    def _enqueue(self, kind: MediaKind) -> None:
        # A bell that waits is heard later than now, so it does for this ring too. Busy slots hear none, and without
        # this look a bell for each upload of a rush would wait for them.
        if not self._broker.client.llen(f"{self._broker.namespace}:{queue_name(kind)}"):
            bell: Message[None] = Message(
                queue_name=queue_name(kind), actor_name=ACTOR_NAME, args=(), kwargs={}, options={}
            )
            self._broker.enqueue(bell)
