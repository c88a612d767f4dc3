"""How every watch travels: core's messages, one after the other, as bytes that the server passes through."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Protocol, TypeVar

from mediafleet_core.events import Resumed, StateChanged
from mediafleet_gateway import metrics
from mediafleet_gateway.draining import Drain
from mediafleet_gateway.interceptors.around import Context

RESUMED = (("mediafleet-watch", "resumed"),)
"""Header of a watch that goes on behind the cursor that it was given."""


class Told(Protocol):
    """A message of core to a watcher."""

    @property
    def event(self) -> object:
        """What happened."""


_Told = TypeVar("_Told", bound=Told)


async def tell(
    messages: AsyncGenerator[_Told, None],
    wire: Callable[[_Told], Awaitable[bytes]],
    context: Context,
    drain: Drain,
    *,
    resumes: bool,
) -> None:
    """Write `messages` as `wire` makes bytes of them, until they end or `drain` ends them from outside.

    A watch that `resumes` was given a cursor; whether it goes on from there is counted by its first message.
    """
    begun = datetime.now(UTC)
    with drain.watch():
        async with aclosing(messages):
            async for message in messages:
                if resumes:
                    resumes = False
                    outcome = "resumed" if isinstance(message.event, Resumed) else "snapshot"
                    metrics.WATCH_RESUMES.labels(outcome).inc()
                if isinstance(message.event, Resumed):
                    # The client learns that it is served, though there may be nothing to tell for long.
                    await context.send_initial_metadata(RESUMED)
                    continue
                # What happened before is late because the watcher was away.
                if isinstance(message.event, StateChanged) and message.event.time >= begun:
                    metrics.WATCH_LAG.observe(_age(message.event.time))
                await context.write(await wire(message))
                del message  # what is made of it goes with the last watcher that has it


def _age(time: datetime) -> float:
    # Clocks of two machines may differ.
    return max(0.0, (datetime.now(UTC) - time).total_seconds())
