"""The connection to Redis: how scripts are run and how its troubles become LEDGER_UNAVAILABLE."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.ledger.scripts import sources
from mediafleet_core.ledger.settings import LedgerSettings

SOCKET_TIMEOUT = 5.0
"""Seconds to wait for an answer; blocking reads ask for less."""


class Reply(NamedTuple):
    """What a script answered: a status, its detail, the record's fields, more rows, and the id it is about."""

    status: str
    detail: str
    record: list[str]
    extra: list[str]
    id: str


def unavailable() -> MediafleetError:
    """The ledger does not answer."""
    return MediafleetError(Reason.LEDGER_UNAVAILABLE, "the ledger does not answer; try again", retry_after=1.0)


class Connection:
    """A pool of connections to one Redis, and its scripts."""

    def __init__(self, settings: LedgerSettings) -> None:
        """Nothing is connected before the first call."""
        self.prefix = settings.ledger_prefix
        self.redis: Redis = Redis.from_url(
            settings.ledger_url,
            decode_responses=True,
            protocol=2,
            socket_timeout=SOCKET_TIMEOUT,
            socket_connect_timeout=SOCKET_TIMEOUT,
            retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), 3),
        )
        self._scripts: dict[str, AsyncScript] = {
            name: self.redis.register_script(text) for name, text in sources(settings).items()
        }

    def key(self, name: str) -> str:
        """A key of this ledger."""
        return self.prefix + name

    @asynccontextmanager
    async def guarded(self) -> AsyncIterator[Any]:
        """Redis, with its errors turned into LEDGER_UNAVAILABLE.

        Any: redis-py types a reply as the union of all that its options could make of it.
        """
        task = asyncio.current_task()
        cancels = task.cancelling() if task is not None else 0
        try:
            yield self.redis
        except (RedisError, OSError) as error:
            raise unavailable() from error
        # redis-py sends inside asyncio.wait_for, which loses a cancellation now and then (Python 3.11, gh-86296).
        if task is not None and task.cancelling() > cancels:
            raise asyncio.CancelledError

    async def run(self, script: str, **arguments: object) -> Reply:
        """Run one script; arguments that are None are left out."""
        text = msgspec.json.encode({name: value for name, value in arguments.items() if value is not None}).decode()
        async with self.guarded():
            answer: list[Any] = await self._scripts[script](args=[self.prefix, text])
        return Reply(*answer)
