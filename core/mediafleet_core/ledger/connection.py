"""The connection to Redis: how scripts are run and how its troubles become LEDGER_UNAVAILABLE."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
from prometheus_client import Histogram
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as BrokenError
from redis.exceptions import NoScriptError, RedisError
from redis.exceptions import TimeoutError as NoAnswerError

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.ledger.pipe import Pipe
from mediafleet_core.ledger.scripts import sources
from mediafleet_core.ledger.settings import LedgerSettings
from mediafleet_core.ledger.witness import Witness

SOCKET_TIMEOUT = 5.0
"""Seconds to wait for an answer; blocking reads ask for less."""

DURATION = Histogram(
    "mediafleet_ledger_operation_seconds",
    "Time until a step of the ledger was answered, repeats included; single commands are the operation `command`.",
    ["operation"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10),
)

_RETRIES = 3
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5
_COMMAND = DURATION.labels("command")


class _Script(NamedTuple):
    digest: str
    text: str
    duration: Histogram


class Reply(NamedTuple):
    """What a script answered: a status, its detail, the record's fields, more rows, the id it is about.

    `event` is the place of the newest event that it appended, "" if it appended none.
    """

    status: str
    detail: str
    record: list[str]
    extra: list[str]
    id: str
    event: str


def unavailable() -> MediafleetError:
    """The ledger does not answer."""
    return MediafleetError(Reason.LEDGER_UNAVAILABLE, "the ledger does not answer; try again", retry_after=1.0)


class Connection:
    """A pool of connections to one Redis, and its scripts."""

    def __init__(self, settings: LedgerSettings) -> None:
        """Nothing is connected before the first call."""
        self.prefix = settings.ledger_prefix
        backoff = ExponentialWithJitterBackoff(base=_SHORTEST_PAUSE, cap=_LONGEST_PAUSE)
        self.redis = _opened(settings, Retry(backoff, _RETRIES))
        self._listening = _opened(settings, Retry(NoBackoff(), 0))
        self._witness = Witness(self.key("events"), settings.events_kept)
        self._pipe = Pipe(self.redis.connection_pool, SOCKET_TIMEOUT, self._witness.greet)
        self._scripts = {
            name: _Script(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), text, DURATION.labels(name))
            for name, text in sources(settings).items()
        }

    def key(self, name: str) -> str:
        """A key of this ledger."""
        return self.prefix + name

    @asynccontextmanager
    async def guarded(self, *, listening: bool = False) -> AsyncIterator[Any]:
        """Redis, with its errors turned into LEDGER_UNAVAILABLE.

        For reads that wait for what comes, `listening` makes every break an error: Redis may come back as another.
        Any: redis-py types a reply as the union of all that its options could make of it.
        """
        task = asyncio.current_task()
        cancels = task.cancelling() if task is not None else 0
        try:
            yield self._listening if listening else self.redis
        except (RedisError, OSError) as error:
            raise unavailable() from error
        # redis-py sends inside asyncio.wait_for, which loses a cancellation now and then (Python 3.11, gh-86296).
        if task is not None and task.cancelling() > cancels:
            raise asyncio.CancelledError

    async def run(self, script: str, **arguments: object) -> Reply:
        """Run one script; arguments that are None are left out."""
        given = msgspec.json.encode({name: value for name, value in arguments.items() if value is not None}).decode()
        digest, text, duration = self._scripts[script]
        try:
            with duration.time():
                try:
                    answer = await self._call("EVALSHA", digest, "0", self.prefix, given)
                except NoScriptError:
                    answer = await self._call("EVAL", text, "0", self.prefix, given)
        except (RedisError, OSError) as error:
            raise unavailable() from error
        reply = Reply(*answer)
        self._witness.saw(reply.event)
        return reply

    async def call(self, *command: str) -> Any:
        """The raw answer of one command that neither blocks nor answers much."""
        try:
            with _COMMAND.time():
                return await self._call(*command)
        except (RedisError, OSError) as error:
            raise unavailable() from error

    async def close(self) -> None:
        """Release the connections."""
        await self._pipe.close()
        await self.redis.aclose()
        await self._listening.aclose()

    async def _call(self, *command: str) -> Any:
        """Repeated after a break: steps are named, and answer a repeat as they did the first time."""
        for attempt in range(_RETRIES):
            try:
                return await self._pipe.call(*command)
            except (BrokenError, NoAnswerError, OSError):
                pause = min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 2**attempt)
                await asyncio.sleep(random.uniform(0, pause))
        return await self._pipe.call(*command)


def _opened(settings: LedgerSettings, retry: Retry) -> Redis:
    client: Redis = Redis.from_url(
        settings.ledger_url,
        decode_responses=True,
        encoding_errors="replace",  # one damaged value would break the connection for all who wait on it
        protocol=2,
        socket_timeout=SOCKET_TIMEOUT,
        socket_connect_timeout=SOCKET_TIMEOUT,
        retry=retry,
    )
    return client
