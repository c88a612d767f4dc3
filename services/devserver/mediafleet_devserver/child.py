"""One child process: started, awaited, started again when it dies, ended with everything that it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mediafleet_devserver import tether
from mediafleet_devserver.options import DevServerError
from mediafleet_devserver.probes import NOT_YET, Probe

START_TIMEOUT = 30.0
"""Seconds until a child must answer; a second is usual."""
STOP_TIMEOUT = 10.0
"""Seconds that a child has for its clean end."""
STEADY = 2.0
"""Seconds of life after which the next death counts as the first."""
LONGEST_PAUSE = 1.0
"""Seconds; the restart of a child that dies over and over must still come within two."""
LOG_LIMIT = 16 << 20
"""Bytes of a log after which a start begins a new one and keeps the old as `.1`."""


@dataclass(frozen=True)
class ChildSpec:
    """What to run, and how one sees that it works."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    probe: Probe


class Child:
    """A child that is kept alive from `start` to `stop`."""

    def __init__(self, spec: ChildSpec, log: Path, changed: Callable[[str], None]) -> None:
        """`changed` is called with a line for people each time the child was started again."""
        self.name = spec.name
        self._spec = spec
        self._log = log
        self._begun = 0
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs now, or ran last."""
        return self._process.pid if self._process else 0

    async def start(self) -> None:
        """Start it, and return when it answers. Raises DevServerError with the end of its log."""
        process = self._process = await self._spawn()
        deadline = asyncio.get_running_loop().time() + START_TIMEOUT
        while True:
            with contextlib.suppress(*NOT_YET):
                if await self._spec.probe():
                    break
            if process.returncode is not None:
                raise DevServerError(f"{self.name} {_ending(process.returncode)}. {self._last_words()}")
            if asyncio.get_running_loop().time() > deadline:
                raise DevServerError(f"{self.name} gave no answer for {START_TIMEOUT:g} s. {self._last_words()}")
            await asyncio.sleep(0.03)
        self._keeper = asyncio.create_task(self._keep(process))

    async def stop(self) -> None:
        """Let it end cleanly; after STOP_TIMEOUT kill it. Whatever it left in its process group is killed."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT)
        except TimeoutError:
            self._kill_group()
            await process.wait()
        self._kill_group()

    def kill(self) -> None:
        """End it and its process group at once, and for good."""
        if self._keeper is not None:
            self._keeper.cancel()
        self._kill_group()

    def _kill_group(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _keep(self, process: asyncio.subprocess.Process) -> None:
        loop = asyncio.get_running_loop()
        pause, started = 0.0, loop.time()
        while True:
            status = await process.wait()
            self._kill_group()
            pause = 0.0 if loop.time() - started > STEADY else min(2 * pause + 0.1, LONGEST_PAUSE)
            await asyncio.sleep(pause)
            started = loop.time()
            try:
                process = self._process = await self._spawn()
            except OSError as error:
                self._changed(f"{self.name} cannot be started: {error.strerror}")
            else:
                self._changed(f"{self.name} {_ending(status)}; started again as pid {process.pid}")

    async def _spawn(self) -> asyncio.subprocess.Process:
        if self._log.exists() and self._log.stat().st_size > LOG_LIMIT:
            self._log.replace(self._log.with_suffix(".log.1"))
        self._begun = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", tether.__file__, str(os.getpid())),
                *self._spec.command,
                env=self._spec.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A group of its own: Ctrl-C reaches the dev server alone, and what the child leaves can be killed.
                start_new_session=True,
            )

    def _last_words(self) -> str:
        lines = self._log.read_bytes()[self._begun :].decode(errors="replace").splitlines()[-8:]
        return "\n".join([f"The end of {self._log}:", *(f"  {line}" for line in lines)])


def _ending(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
