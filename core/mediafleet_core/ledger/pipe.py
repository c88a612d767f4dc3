"""One connection for the commands of all callers: each is sent at once, none waits for another's answer.

redis-py takes a connection for each command and gives it back, which costs several times what the command itself does.
Commands that block, and those with long answers, keep to its pool.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as BrokenError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as NoAnswerError

from mediafleet_core.ledger.witness import Ask


class Pipe:
    """Connects at the first command, and again after a break; belongs to the event loop that runs then."""

    def __init__(self, pool: ConnectionPool, timeout: float, greet: Callable[[Ask], None] = lambda _: None) -> None:
        """Connections are made as `pool` makes them; an answer that takes more than `timeout` seconds is a break.

        `greet` may ask on each before anybody else does.
        """
        self._pool, self._timeout, self._greet = pool, timeout, greet
        self._link: _Link | None = None
        self._closed = False

    async def call(self, *command: str) -> Any:
        """Redis' answer. Raises redis' own errors; after a break nobody knows whether the command was carried out."""
        if self._closed:
            raise BrokenError("the connection was closed")
        link = self._link
        if link is not None and link.silent_for > self._timeout:  # those who asked left before their time was over
            link.break_off()
        if link is None or link.broken:
            link = self._link = _Link(self._pool.make_connection())  # type: ignore[no-untyped-call]
            self._greet(link.ask)
        answer = link.ask(command)
        try:
            async with asyncio.timeout(self._timeout):
                return await answer
        except TimeoutError:
            link.break_off()
            raise NoAnswerError("no answer in time") from None

    async def close(self) -> None:
        """Break the connection; whoever waits gets an error."""
        self._closed = True
        if self._link is not None:
            await self._link.close()


class _Link:
    """One connection, from its first command to its break."""

    def __init__(self, connection: AbstractConnection) -> None:
        # Its own time-out would wrap each write and each read, and break a connection on which nobody asks.
        connection.socket_timeout = None
        self._connection = connection
        self._unsent: list[tuple[tuple[str, ...], asyncio.Future[Any]]] = []
        self._sent: deque[asyncio.Future[Any]] = deque()
        self._wanted = asyncio.Event()
        self.broken = False
        self._heard = 0.0
        self._serving = asyncio.create_task(self._serve())

    def ask(self, command: tuple[str, ...]) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if not self._sent and not self._unsent:
            self._heard = asyncio.get_running_loop().time()
        self._unsent.append((command, answer))
        self._wanted.set()
        return answer

    @property
    def silent_for(self) -> float:
        """Seconds since the last answer, or since the first question after it; 0 while nobody waits for any."""
        waited_for = self._sent or self._unsent
        return asyncio.get_running_loop().time() - self._heard if waited_for else 0.0

    def break_off(self) -> None:
        self.broken = True
        self._serving.cancel()

    async def close(self) -> None:
        self.break_off()
        await asyncio.wait([self._serving])

    async def _serve(self) -> None:
        error: BaseException = BrokenError("the connection was given up")
        try:
            await self._connection.connect()  # type: ignore[no-untyped-call]
            async with asyncio.TaskGroup() as both:
                both.create_task(self._send())
                both.create_task(self._receive())
        except* (RedisError, OSError) as errors:
            error = errors.exceptions[0]
        finally:
            self.broken = True
            for answer in (*self._sent, *(answer for _, answer in self._unsent)):
                if not answer.done():
                    answer.set_exception(error)
            await self._connection.disconnect(nowait=True)

    async def _send(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            batch, self._unsent = self._unsent, []
            self._sent.extend(answer for _, answer in batch)
            packed = self._connection.pack_commands(command for command, _ in batch)
            await self._connection.send_packed_command(packed, check_health=False)

    async def _receive(self) -> None:
        while True:
            refusal = None
            try:
                result = await self._connection.read_response(disconnect_on_error=False)
            except ResponseError as error:
                refusal = error
            answer = self._sent.popleft()
            self._heard = asyncio.get_running_loop().time()
            if answer.done():  # its caller was cancelled
                continue
            if refusal is not None:
                answer.set_exception(refusal)
            else:
                answer.set_result(result)
