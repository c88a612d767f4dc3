"""One job in one child: what it says is heard with care, how it ends is judged, and nothing of it stays."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import structlog

from mediafleet_core.failures import FailureCode, ProcessingError
from mediafleet_workers.sandbox.frames import Spoken, SpokeWrongly, listen
from mediafleet_workers.sandbox.link import Child, ZygoteLink, ZygoteLost
from mediafleet_workers.sandbox.messages import Boot, Ended, Failed
from mediafleet_workers.sandbox.settings import SandboxSettings

_log = structlog.get_logger(__name__)

_PROBE = "mediafleet_workers.sandbox.probe:escape"
_START_TIME = timedelta(minutes=1)
"""For the first child of a zygote, which loads every decoder before; no job's time is too short for that."""
_NEAR_BUDGET = 0.9
_CRASHES = (signal.SIGKILL, signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS)


class Killed(ProcessingError):
    """The child did not end by itself, or not well."""


class SandboxLost(Exception):
    """The sandbox ended with every child in it; whose fault that was is unknown."""


class SandboxUnavailable(Exception):
    """Children cannot be started, or not locked in as production demands; the text says what is lacking."""


class Sandbox:
    """Runs jobs in children of a zygote, which it replaces when it is lost."""

    def __init__(self, settings: SandboxSettings, entry: str, preload: tuple[str, ...]) -> None:
        """`entry` ("module:function") runs a job, see `child.Entry`; `preload` and the plugins are loaded once."""
        self._settings = settings
        self._entry = entry
        self._boot = Boot(
            import_path=tuple(path for path in sys.path if path),
            preload=(*preload, _PROBE.partition(":")[0], *settings.worker_plugins),
            limits=settings.limits,
        )
        self._link: ZygoteLink | None = None
        self._replacing = asyncio.Lock()

    async def start(self, folder: Path, *, strict: bool) -> None:
        """Start the zygote and try to break out of a child in `folder`, which exists.

        Raises SandboxUnavailable if nothing runs, or if something is lacking and `strict`; else that is only logged.
        """
        try:
            spoken, _ = await self._converse(folder, _PROBE, b"", lambda _: None, lambda _: None, _START_TIME)
        except (ZygoteLost, ProcessingError) as error:
            raise SandboxUnavailable(f"the sandbox does not start: {error}") from error
        if spoken.result is None:
            raise SandboxUnavailable(f"the sandbox does not start: {spoken.failed}")
        if lacking := [*spoken.lacking, *msgspec.json.decode(spoken.result, type=list[str])]:
            if strict:
                raise SandboxUnavailable(f"decoders cannot be locked in here: {'; '.join(lacking)}")
            _log.warning("sandbox_incomplete", lacking=lacking)

    async def run(
        self,
        folder: Path,
        job: bytes,
        report: Callable[[bytes], None],
        tell_end: Callable[[Ended], None] = lambda _: None,
    ) -> bytes:
        """The result of a job that may use `folder` and nothing else.

        `tell_end` hears how the child ended and what it used, whatever becomes of the job. Raises ProcessingError as
        the job says, Killed, or SandboxLost. When cancelled, the child is dead before this returns.
        """
        try:
            spoken, ended = await self._converse(folder, self._entry, job, report, tell_end, self._settings.job_time)
        except ZygoteLost as error:
            raise SandboxLost(str(error)) from error
        return self._judge(spoken, ended)

    async def close(self) -> None:
        """End every child and the zygote."""
        if self._link is not None:
            await self._link.close()

    @property
    def pid(self) -> int | None:
        """The zygote's process id, None while there is none."""
        return self._link.pid if self._link is not None and self._link.alive else None

    async def _converse(
        self,
        folder: Path,
        entry: str,
        job: bytes,
        report: Callable[[bytes], None],
        tell_end: Callable[[Ended], None],
        patience: timedelta,
    ) -> tuple[Spoken, Ended]:
        link = await self._zygote()
        child = link.fork(folder, entry, job)
        try:
            async with asyncio.timeout(patience.total_seconds()):
                spoken = await listen(child.pipe, report)
                await asyncio.shield(child.ended)
        except TimeoutError:
            code, why = FailureCode.TIMED_OUT, f"ran for {patience}"
        except SpokeWrongly as error:
            code, why = FailureCode.WORKER_CRASHED, str(error)
        else:
            return spoken, child.ended.result()
        finally:
            await _end(link, child)
            if child.ended.exception() is None:
                tell_end(child.ended.result())
        raise Killed(code, evidence=f"{why}; {_evidence(child.ended.result())}")

    async def _zygote(self) -> ZygoteLink:
        async with self._replacing:  # of several jobs that find it lost, one starts the next
            if self._link is None or not self._link.alive:
                await self.close()
                self._link = ZygoteLink(self._boot)
            return self._link

    def _judge(self, spoken: Spoken, ended: Ended) -> bytes:
        evidence = _evidence(ended)
        if ended.status == -signal.SIGXCPU:
            raise Killed(FailureCode.TIMED_OUT, evidence=evidence)
        if -ended.status in _CRASHES and ended.peak_memory > _NEAR_BUDGET * self._settings.job_memory:
            raise Killed(FailureCode.OUT_OF_MEMORY, evidence=evidence)
        if ended.status != 0:
            raise Killed(FailureCode.WORKER_CRASHED, evidence=evidence)
        if spoken.failed is not None:
            failed: Failed = spoken.failed
            raise ProcessingError(failed.code, failed.detail, evidence=f"{failed.evidence} ({evidence})".strip())
        if spoken.result is None:
            raise Killed(FailureCode.WORKER_CRASHED, evidence=f"said nothing, {evidence}")
        return spoken.result


async def _end(link: ZygoteLink, child: Child) -> None:
    """Returns when the child is dead and reaped."""
    try:
        if not child.ended.done():
            link.kill(child)
            await asyncio.wait([child.ended])
    finally:
        os.close(child.pipe)


def _evidence(ended: Ended) -> str:
    return f"{_how(ended.status)}, peak {ended.peak_memory >> 20} MiB, cpu {ended.cpu:.1f} s"


def _how(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit {status}"
