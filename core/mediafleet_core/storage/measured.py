"""Every storage operation measured: how long, how it ended, how many bytes, whom it is billed for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from datetime import timedelta
from math import ceil
from pathlib import Path
from time import perf_counter
from typing import Final, TypeVar

from prometheus_client import Counter, Histogram

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.metering import Bill
from mediafleet_core.object_keys import tenant_of
from mediafleet_core.ports import (
    Chunks,
    ObjectStore,
    SignedPut,
    StoredObject,
    StoredPart,
    UnfinishedMultipart,
    UploadedPart,
)
from mediafleet_core.usage import Operations

T = TypeVar("T")

OPERATIONS: Final[Mapping[str, str]] = {
    "put": "A",
    "put_file": "A",
    "begin_multipart": "A",
    "put_part": "A",
    "sign_part": "A",
    "list_parts": "A",
    "complete_multipart": "A",
    "abort_multipart": "",
    "list_multiparts": "A",
    "copy": "A",
    "head": "B",
    "read": "B",
    "delete": "",
    "list": "A",
    "check": "B",
}
"""Each operation with its class in R2's price list; the others are free."""

UNMEASURED = frozenset({"sign_part"})
"""Those that only others carry out."""

OUTCOMES = ("ok", "not_found", "throttled", "denied", "timeout", "network", "server_error")
CARRIED_OUT = frozenset({"ok", "not_found"})
"""Outcomes of what is billed: the storage did it."""

_PER_CALL = 1_000
"""Entries that one call of a listing answers."""

REQUESTS = Counter("mediafleet_storage_requests", "Storage operations, by how they ended.", ["operation", "outcome"])
DURATION = Histogram(
    "mediafleet_storage_request_duration_seconds",
    "Time of storage operations, retries included.",
    ["operation"],
    buckets=(0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60),
)
BYTES = Counter("mediafleet_storage_bytes", "Bytes of content moved to or from storage.", ["direction"])
RETRIES = Counter("mediafleet_storage_retries", "Repeated calls to storage.")
BILLABLE = Counter("mediafleet_storage_billable_operations", "Operations that R2 bills, by price class.", ["class"])

for _operation in OPERATIONS.keys() - UNMEASURED:
    DURATION.labels(_operation)
    for _outcome in OUTCOMES:
        REQUESTS.labels(_operation, _outcome)
for _direction in ("read", "written"):
    BYTES.labels(_direction)
for _class in "AB":
    BILLABLE.labels(_class)


class MeasuredStore:
    """An `ObjectStore` that counts what it passes on."""

    def __init__(self, store: ObjectStore, bill: Bill | None) -> None:
        """`bill` gets what is billed; None for a store that costs nothing per operation."""
        self._store = store
        self._to = bill

    @property
    def signs_parts(self) -> bool:
        """See `ObjectStore`."""
        return self._store.signs_parts

    def require(self) -> None:
        """See `ObjectStore`; no request."""
        self._store.require()

    async def put(
        self, key: str, body: Chunks, *, crc32c: int, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """See `ObjectStore`."""
        with self._measured("put", key):
            stored = await self._store.put(key, body, crc32c=crc32c, content_type=content_type, metadata=metadata)
        BYTES.labels("written").inc(stored.size)
        return stored

    async def put_file(
        self, key: str, path: Path, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """See `ObjectStore`."""
        with self._measured("put_file", key):
            stored = await self._store.put_file(key, path, content_type=content_type, metadata=metadata)
        BYTES.labels("written").inc(stored.size)
        return stored

    async def begin_multipart(
        self, key: str, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> str:
        """See `ObjectStore`."""
        with self._measured("begin_multipart", key):
            return await self._store.begin_multipart(key, content_type=content_type, metadata=metadata)

    async def put_part(self, key: str, multipart_id: str, number: int, body: Chunks, *, crc32c: int) -> str:
        """See `ObjectStore`."""
        with self._measured("put_part", key):
            etag = await self._store.put_part(key, multipart_id, number, body, crc32c=crc32c)
        BYTES.labels("written").inc(sum(memoryview(chunk).nbytes for chunk in body))
        return etag

    async def sign_part(
        self, key: str, multipart_id: str, number: int, *, size: int, crc32c: int, expires_in: timedelta
    ) -> SignedPut:
        """See `ObjectStore`; no request, but whoever gets it makes one that is billed."""
        signed = await self._store.sign_part(key, multipart_id, number, size=size, crc32c=crc32c, expires_in=expires_in)
        self._bill("sign_part", key)
        return signed

    async def list_parts(self, key: str, multipart_id: str) -> AsyncIterator[StoredPart]:
        """See `ObjectStore`."""
        async for part in self._streamed("list_parts", key, self._store.list_parts(key, multipart_id)):
            yield part

    async def complete_multipart(self, key: str, multipart_id: str, parts: Sequence[UploadedPart]) -> StoredObject:
        """See `ObjectStore`."""
        with self._measured("complete_multipart", key):
            return await self._store.complete_multipart(key, multipart_id, parts)

    async def abort_multipart(self, key: str, multipart_id: str) -> None:
        """See `ObjectStore`."""
        with self._measured("abort_multipart", key):
            await self._store.abort_multipart(key, multipart_id)

    async def list_multiparts(self, prefix: str) -> AsyncIterator[UnfinishedMultipart]:
        """See `ObjectStore`."""
        async for unfinished in self._streamed("list_multiparts", prefix, self._store.list_multiparts(prefix)):
            yield unfinished

    async def copy(
        self,
        source: StoredObject,
        key: str,
        *,
        content_type: str = "",
        metadata: Mapping[str, str] | None = None,
        copied: Callable[[int], None] = lambda size: None,
    ) -> StoredObject:
        """See `ObjectStore`; of several steps each is billed."""
        steps = 0  # besides the last one, which ends it

        def step(size: int) -> None:
            nonlocal steps
            steps += 1
            copied(size)

        with self._measured("copy", key):
            stored = await self._store.copy(source, key, content_type=content_type, metadata=metadata, copied=step)
        self._bill("copy", key, steps)
        return stored

    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore`."""
        with self._measured("head", key) as ending:
            stored = await self._store.head(key)
            if stored is None:
                ending.outcome = "not_found"
        return stored

    async def read(self, key: str) -> AsyncGenerator[bytes, None]:
        """See `ObjectStore`."""
        async with aclosing(self._streamed("read", key, self._store.read(key))) as chunks:
            async for chunk in chunks:
                BYTES.labels("read").inc(len(chunk))
                yield chunk

    async def delete(self, keys: Sequence[str]) -> None:
        """See `ObjectStore`."""
        with self._measured("delete"):
            await self._store.delete(keys)

    async def list(self, prefix: str, *, after: str = "") -> AsyncIterator[StoredObject]:
        """See `ObjectStore`."""
        async for stored in self._streamed("list", prefix, self._store.list(prefix, after=after)):
            yield stored

    async def sign_url(
        self, key: str, expires_in: timedelta, *, file_name: str, content_type: str = "", as_attachment: bool = False
    ) -> str:
        """See `ObjectStore`; no request, so nothing to measure."""
        return await self._store.sign_url(
            key, expires_in, file_name=file_name, content_type=content_type, as_attachment=as_attachment
        )

    async def check(self) -> None:
        """See `ObjectStore`."""
        with self._measured("check"):
            await self._store.check()

    async def close(self) -> None:
        """See `ObjectStore`."""
        await self._store.close()

    @contextmanager
    def _measured(self, operation: str, key: str = "") -> Iterator[_Ending]:
        ending, started = _Ending(), perf_counter()
        try:
            yield ending
        except MediafleetError as error:
            ending.outcome = _outcome_of(error)
            raise
        except BaseException:
            ending.outcome = ""  # given up by the caller: that says nothing about the storage
            raise
        finally:
            self._record(operation, key, ending.outcome, perf_counter() - started)

    async def _streamed(self, operation: str, key: str, source: AsyncIterator[T]) -> AsyncGenerator[T, None]:
        """Pass items on; the time that the reader takes for them does not count, a reader that stops early does."""
        ending, spent, count = _Ending(), 0.0, 0
        try:
            while True:
                started = perf_counter()
                try:
                    item = await anext(source)
                except StopAsyncIteration:
                    break
                except MediafleetError as error:
                    ending.outcome = _outcome_of(error)
                    raise
                except BaseException:
                    ending.outcome = ""
                    raise
                finally:
                    spent += perf_counter() - started
                count += 1
                yield item
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()
            pages = 1 if operation == "read" else max(1, ceil(count / _PER_CALL))
            self._record(operation, key, ending.outcome, spent, calls=pages)

    def _record(self, operation: str, key: str, outcome: str, seconds: float, *, calls: int = 1) -> None:
        if not outcome:
            return
        REQUESTS.labels(operation, outcome).inc()
        DURATION.labels(operation).observe(seconds)
        if outcome in CARRIED_OUT:
            self._bill(operation, key, calls)

    def _bill(self, operation: str, key: str, calls: int = 1) -> None:
        price_class = OPERATIONS[operation]
        if self._to is not None and price_class:
            BILLABLE.labels(price_class).inc(calls)
            self._to.add(tenant_of(key), Operations(*(calls if price_class == each else 0 for each in "AB")))


class _Ending:
    """How an operation went; "" when it was given up."""

    outcome = "ok"


def _outcome_of(error: MediafleetError) -> str:
    if error.reason is Reason.ORIGINAL_MISSING:
        return "not_found"
    if error.reason is Reason.STORAGE_DENIED:
        return "denied"
    cause = error.metadata.get("cause", "")
    return cause if cause in OUTCOMES else "server_error"
