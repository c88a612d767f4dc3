"""What ties a gateway to its supervisor: a socket on which it says that it serves, and hears that the other is gone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def tied(descriptor: int | None, gone: asyncio.Event) -> AsyncIterator[Callable[[], None]]:
    """What to call once the gateway serves; `gone` is set when the supervisor ends. None ties to nobody."""
    if descriptor is None:
        yield lambda: None
        return
    reader, writer = await asyncio.open_unix_connection(sock=socket.socket(fileno=descriptor))
    hearing = asyncio.create_task(_hear(reader, gone))
    try:
        yield lambda: writer.write(b"\n")
    finally:
        hearing.cancel()
        writer.close()


async def _hear(reader: asyncio.StreamReader, gone: asyncio.Event) -> None:
    with suppress(ConnectionError):
        await reader.read()  # nothing is ever said
    gone.set()
