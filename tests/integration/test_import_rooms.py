"""The room that a copy takes is free again when it ends, whoever begins the next."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, cast

from mediafleet_core.detached import Detached
from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.intake.budget import ByteBudget
from mediafleet_core.intake.importing import Imports
from mediafleet_core.intake.settings import IntakeSettings
from mediafleet_core.intake.works import Works
from mediafleet_core.ports import JobQueue, Ledger, ObjectStore, StoredObject, WriteSession
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import UploadSpec
from tests.ledgers import ANN, ledger_at


class Away:
    """A storage that has the object, and copies nothing."""

    async def head(self, key: str) -> StoredObject:
        return StoredObject(key, 7, "etag")

    async def copy(self, source: StoredObject, key: str, **about: Any) -> StoredObject:
        raise MediafleetError(Reason.STORAGE_UNAVAILABLE, "away")


class Crossing:
    """The ledger. The second call has its upload when the first has let go of it, and the first hears of that later."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._calls = ledger, 0
        self._free, self._had = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    async def create(self, *upload: Any, **more: Any) -> WriteSession:
        self._calls += 1
        second = self._calls == 2
        session = await self._ledger.create(*upload, **more)
        if second:
            await self._free.wait()
            self._had.set()
        return session

    async def hold_import(self, *upload: Any, hold: timedelta, **fenced: Any) -> WriteSession:
        session = await self._ledger.hold_import(*upload, hold=hold, **fenced)
        if not hold:
            self._free.set()
            await self._had.wait()
        return session


async def test_a_copy_that_ends_while_another_call_comes_for_it_leaves_no_room_taken(redis_url: str) -> None:
    async def take(request_id: str) -> Reason:
        try:
            await imports.take(ANN, spec, "a.bin", "etag", limits=limits, request_id=request_id)
        except MediafleetError as error:
            return error.reason
        raise AssertionError("nothing can be copied")

    spec, limits = UploadSpec(display_name="a.bin"), Limits(concurrent_uploads=2)
    async with ledger_at(redis_url) as ledger:
        stand_ins = cast(Ledger, Crossing(ledger)), cast(ObjectStore, Away()), cast(JobQueue, None)
        settings = IntakeSettings()
        imports = Imports(Works(*stand_ins, settings, ByteBudget(settings.write_buffer_bytes), Detached()))
        for request_ids in (["same", "same"], ["one", "other"]):
            answers = await asyncio.gather(*map(take, request_ids))
            assert answers == [Reason.STORAGE_UNAVAILABLE] * 2
        await imports.close()
