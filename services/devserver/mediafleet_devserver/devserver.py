"""The dev server: every process of mediafleet on one machine, kept alive from start to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from itertools import chain
from types import TracebackType
from typing import Self

from mediafleet_devserver.child import Child
from mediafleet_devserver.data_dir import DataDir
from mediafleet_devserver.endpoints import Endpoints, Tokens
from mediafleet_devserver.options import Options
from mediafleet_devserver.plan import Plan, make_plan


class DevServer:
    """An async context: inside it every child answers and `endpoints.json` tells where."""

    def __init__(self, options: Options, say: Callable[[str], None]) -> None:
        """`say` gets lines for people: what is being started, and later which child was started again."""
        self.data = DataDir(options.data_dir)
        self._options = options
        self._say = say
        self._held = ExitStack()
        self._layers: list[list[Child]] = []
        self._plan: Plan | None = None
        self._tokens: Tokens | None = None
        self._ready = False

    @property
    def plan(self) -> Plan:
        """What runs where; known inside the context."""
        assert self._plan is not None
        return self._plan

    @property
    def endpoints(self) -> Endpoints:
        """Where to connect now, and as whom; known inside the context."""
        assert self._tokens is not None
        return Endpoints(
            gateways=self.plan.gateways,
            token=self._tokens.token,
            other_token=self._tokens.other_token,
            admin_token=self._tokens.admin_token,
            metrics=self.plan.metrics,
            redis=self.plan.redis,
            storage=self.plan.storage,
            pids={child.name: child.pid for child in chain.from_iterable(self._layers)},
        )

    async def __aenter__(self) -> Self:
        """Start everything. Raises DevServerError, and then nothing runs."""
        self._held.enter_context(self.data.locked())
        try:
            self.data.endpoints.unlink(missing_ok=True)
            self.data.keep_storage(self._options.storage)
            self._tokens = Tokens.signed_by(self.data.key("tokens"))
            self._plan = make_plan(self._options, self.data)
            self._layers = [
                [Child(spec, self.data.log(spec.name), self._on_restart) for spec in layer]
                for layer in self._plan.layers
            ]
            await self._start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        self._ready = True
        self.endpoints.write(self.data.endpoints)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End everything: gateways first, Redis last."""
        self._ready = False
        self.data.endpoints.unlink(missing_ok=True)
        for layer in reversed(self._layers):
            await asyncio.gather(*(child.stop() for child in layer))
        self._held.close()

    def kill(self) -> None:
        """End every child at once; for someone who does not want to wait."""
        for child in chain.from_iterable(self._layers):
            child.kill()

    async def _start(self) -> None:
        self._say(f"Starting {', '.join(child.name for child in chain.from_iterable(self._layers))} ...")
        redis, *others = self._layers
        await asyncio.gather(*(child.start() for child in redis))
        # The rest needs Redis, and one another only once there is work: together they are ready sooner.
        try:
            async with asyncio.TaskGroup() as group:
                for child in chain.from_iterable(others):
                    group.create_task(child.start())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    def _on_restart(self, line: str) -> None:
        self._say(line)
        if self._ready:
            self.endpoints.write(self.data.endpoints)
