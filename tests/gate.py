"""A wire to an HTTP server on which one request can be held back in its middle."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One way of a wire, until either end is closed."""
    try:
        while content := await reader.read(1 << 16):
            writer.write(content)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


class Gate:
    """Holds back what follows the head of the first request that matches, or its head too, until it is released."""

    def __init__(self, request: str, *, with_head: bool) -> None:
        self._request = re.compile(request.encode())
        self._with_head = with_head
        self.reached = asyncio.Event()
        self._released = asyncio.Event()

    def release(self) -> None:
        """Lets everything pass from now on."""
        self._released.set()

    @asynccontextmanager
    async def to(self, address: str) -> AsyncIterator[str]:
        """The address of the near end."""
        host, _, port = address.partition(":")
        pumps: set[asyncio.Task[None]] = set()

        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            for way in (self._requests(reader, far_writer), pump(far_reader, writer)):
                task = asyncio.create_task(way)
                pumps.add(task)
                task.add_done_callback(pumps.discard)

        server = await asyncio.start_server(connect, "127.0.0.1", 0)
        try:
            yield "{}:{}".format(*server.sockets[0].getsockname())
        finally:
            server.close()
            for task in list(pumps):
                task.cancel()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while content := await reader.read(1 << 16):
                if not self.reached.is_set() and self._request.match(content):
                    head = b"" if self._with_head else content[: content.index(b"\r\n\r\n") + 4]
                    writer.write(head)
                    self.reached.set()
                    await self._released.wait()
                    content = content[len(head) :]
                writer.write(content)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
