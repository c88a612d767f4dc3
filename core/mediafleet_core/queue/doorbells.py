"""The Dramatiq adapter of `JobQueue`. It knows the actor by name only, so a gateway carries no worker code."""

from __future__ import annotations

import asyncio

import redis
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerConnectionError
from redis.backoff import NoBackoff
from redis.retry import Retry

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.media_types import MediaKind
from mediafleet_core.queue.settings import QueueSettings

ACTOR_NAME = "work"
"""The actor that answers bells, on every kind's queue; its one argument is the kind."""


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
    return RedisBroker(  # type: ignore[no-untyped-call]
        client=client,
        middleware=[],
        namespace=settings.broker_namespace,
        heartbeat_timeout=round(settings.broker_heartbeat_timeout.total_seconds() * 1000),
        maintenance_chance=settings.broker_maintenance_chance,
    )


class DramatiqQueue:
    """`JobQueue` over a broker; `ring` runs in a thread, because Dramatiq's broker is synchronous."""

    def __init__(self, broker: RedisBroker) -> None:
        self._broker = broker

    async def ring(self, kind: MediaKind) -> None:
        """Wake one worker slot of this kind. Raises LEDGER_UNAVAILABLE when the broker does not answer."""
        bell: Message[None] = Message(
            queue_name=queue_name(kind), actor_name=ACTOR_NAME, args=(kind.value,), kwargs={}, options={}
        )
        try:
            await asyncio.to_thread(self._broker.enqueue, bell)
        except (redis.RedisError, BrokerConnectionError) as error:
            raise MediafleetError(Reason.LEDGER_UNAVAILABLE, "the queue does not answer") from error

    async def waiting(self, kind: MediaKind) -> int:
        """Bells that no worker has taken yet. Raises LEDGER_UNAVAILABLE when the broker does not answer."""
        try:
            waiting = await asyncio.to_thread(self._broker.client.llen, f"{self._broker.namespace}:{queue_name(kind)}")
        except redis.RedisError as error:
            raise MediafleetError(Reason.LEDGER_UNAVAILABLE, "the queue does not answer") from error
        return int(waiting)

    async def close(self) -> None:
        """Release connections."""
        await asyncio.to_thread(self._broker.client.close)
