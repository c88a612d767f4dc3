"""Whether the storage can be used, as the gateway tells its callers."""

from __future__ import annotations

import asyncio
import time

from mediafleet.v1 import usage_pb2 as pb
from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.ports import ObjectStore

_STATES = {
    Reason.STORAGE_DISABLED: pb.STORAGE_STATE_DISABLED,
    Reason.STORAGE_DENIED: pb.STORAGE_STATE_MISCONFIGURED,
}
StorageReport = tuple[pb.StorageState.ValueType, str]


class StorageProbe:
    """Whether the storage can be used, asked at most every `AGE` seconds and never for longer than `PATIENCE`."""

    AGE = 15.0
    PATIENCE = 2.0

    def __init__(self, store: ObjectStore) -> None:
        """Nothing is asked before the first call."""
        self._store = store
        self._asked = -self.AGE
        self._asking: asyncio.Task[None] | None = None
        self._report: StorageReport = (pb.STORAGE_STATE_UNSPECIFIED, "")

    async def report(self, *, refresh: bool = False) -> StorageReport:
        """State and a message for people; never raises. Only a `refresh` and the first calls wait for the storage."""
        idle = self._asking is None or self._asking.done()
        if idle and (refresh or time.monotonic() - self._asked >= self.AGE):
            self._asking = asyncio.create_task(self._renew(), name="storage-probe")
        if self._asking is not None and (refresh or self._report[0] == pb.STORAGE_STATE_UNSPECIFIED):
            await asyncio.wait([self._asking])
        return self._report

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait([self._asking])

    async def _renew(self) -> None:
        self._report = await self._ask()
        self._asked = time.monotonic()

    async def _ask(self) -> StorageReport:
        try:
            async with asyncio.timeout(self.PATIENCE):
                await self._store.check()
        except TimeoutError:
            return pb.STORAGE_STATE_UNREACHABLE, f"the storage did not answer within {self.PATIENCE:g} s"
        except MediafleetError as error:
            return _STATES.get(error.reason, pb.STORAGE_STATE_UNREACHABLE), error.message
        return pb.STORAGE_STATE_OK, ""
