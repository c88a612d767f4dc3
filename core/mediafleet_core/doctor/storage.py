"""Whether the storage takes and gives what mediafleet asks of it, tried in a corner of the bucket."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import uuid4

import google_crc32c

from mediafleet_core.doctor import trials
from mediafleet_core.doctor.findings import Finding, failed, ok, refused, warning
from mediafleet_core.errors import MediafleetError
from mediafleet_core.object_keys import CHECK
from mediafleet_core.ports import ObjectStore
from mediafleet_core.settings import SettingsError
from mediafleet_core.storage import Backend, StorageSettings, open_bare

_LEFT_BEHIND = timedelta(hours=1)
"""Age at which what a doctor left is removed by the next one; another one may be at work."""

_LEAST_FREE = 0.05


class StorageExam:
    """The storage of one process's settings. Checks that need to be let in are silent where they are not."""

    def __init__(self, settings: StorageSettings) -> None:
        """Nothing is asked yet."""
        self.settings = settings
        self._usable: bool | None = None
        self.reached = True
        """False once it was found to give no answer at all."""
        self._prefix = f"{CHECK}doctor/{uuid4()}/"

    async def usable(self) -> bool:
        """Whether it lets us in; asked now, unless `access` did so before."""
        if self._usable is None:
            async for _ in self.access():
                pass
        return bool(self._usable)

    async def access(self) -> AsyncIterator[Finding]:
        """Whether it can be reached, knows us, and lets us read and write."""
        self._usable = False
        try:
            store = open_bare(self.settings)
        except SettingsError as error:
            what, _, remedy = str(error).partition(": ")
            yield failed("storage", what, remedy)
            return
        try:
            took, _ = await trials.timed(store.check())
            self._usable = True
            yield ok("storage", f"{self._where()}, answers in {took}")
        except MediafleetError as error:
            self.reached = error.metadata.get("cause") not in {"timeout", "network"}
            yield refused("storage", error)
        finally:
            await store.close()

    async def objects(self) -> AsyncIterator[Finding]:
        """Put, head, get, copy, list, a signed URL and delete, of one object."""
        if not await self.usable():
            return
        store = open_bare(self.settings)
        key, content = f"{self._prefix}object", os.urandom(1 << 10)
        crc32c = int(google_crc32c.value(content))
        steps: tuple[tuple[str, Callable[[], Awaitable[str]]], ...] = (
            ("put", lambda: trials.put(store, key, content, crc32c)),
            ("head", lambda: trials.head(store, key, len(content))),
            ("get", lambda: trials.get(store, key, content)),
            ("copy", lambda: trials.copy(store, key, f"{self._prefix}copy")),
            ("list", lambda: trials.list_all(store, self._prefix, [f"{self._prefix}copy", key])),
            ("signed URL", lambda: trials.download(store, key, content)),
            ("delete", lambda: trials.delete(store, key)),
        )
        try:
            for name, step in steps:
                finding = await trials.tried(f"storage {name}", step())
                yield finding
        finally:
            with contextlib.suppress(MediafleetError):
                await self._clean(store)
            await store.close()
        if self.settings.backend is Backend.LOCAL:
            yield self._room()

    async def multipart(self) -> AsyncIterator[Finding]:
        """An object of a part of 5 MiB and a smaller one, made, read back and compared; and one that is given up."""
        if not await self.usable():
            return
        store = open_bare(self.settings)
        try:
            yield await trials.tried("storage multipart", trials.round_trip(store, f"{self._prefix}whole"))
            yield await trials.tried("storage abort", trials.give_up(store, f"{self._prefix}given-up"))
            yield await trials.tried("storage clean-up", self._clean(store))
        finally:
            await store.close()

    def _where(self) -> str:
        if self.settings.backend is Backend.LOCAL:
            return f"folder {self.settings.storage_dir}"
        host = urlsplit(self.settings.endpoint_url).netloc.rpartition("@")[2]  # a user and a password are nobody's
        return f"bucket {self.settings.r2_bucket_name} at {host}"

    def _room(self) -> Finding:
        assert self.settings.storage_dir is not None
        usage = shutil.disk_usage(self.settings.storage_dir)
        text = f"{usage.free / 1e9:.1f} GB free"
        if usage.free < _LEAST_FREE * usage.total:
            return warning("storage room", text, "make room, or delete what is no longer needed")
        return ok("storage room", text)

    async def _clean(self, store: ObjectStore) -> str:
        """Remove what this and earlier doctors left."""
        old = datetime.now(UTC) - _LEFT_BEHIND
        left = [
            each.key
            async for each in store.list(f"{CHECK}doctor/")
            if each.key.startswith(self._prefix) or (each.modified is not None and each.modified < old)
        ]
        begun = [each async for each in store.list_multiparts(f"{CHECK}doctor/")]
        for each in begun:
            if each.key.startswith(self._prefix) or each.begun < old:
                await store.abort_multipart(each.key, each.multipart_id)
        if left:
            await store.delete(left)
        return "nothing is left behind"
