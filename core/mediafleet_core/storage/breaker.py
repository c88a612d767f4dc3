"""A storage that is away is not asked again and again: callers learn of it at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from prometheus_client import Gauge

from mediafleet_core.ports import (
    Chunks,
    ObjectStore,
    SignedPut,
    StoredObject,
    StoredPart,
    UnfinishedMultipart,
    UploadedPart,
)
from mediafleet_core.storage.circuit import Circuit, CircuitState
from mediafleet_core.storage.settings import StorageSettings

T = TypeVar("T")

CIRCUIT = Gauge("mediafleet_storage_circuit", "1 for the state that the circuit to the storage is in.", ["state"])
for _state in CircuitState:
    CIRCUIT.labels(_state)


class BreakerStore:
    """An `ObjectStore` behind a `Circuit`; each operation counts as one, with the retries of its adapter."""

    def __init__(self, store: ObjectStore, settings: StorageSettings) -> None:
        """`settings` say when the circuit opens, and for how long."""
        self._store = store
        self._circuit = Circuit(
            settings.storage_breaker_failures,
            settings.storage_breaker_window.total_seconds(),
            settings.storage_breaker_cooldown.total_seconds(),
            on_change=_show,
        )

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
        with self._circuit.call():
            return await self._store.put(key, body, crc32c=crc32c, content_type=content_type, metadata=metadata)

    async def put_file(
        self, key: str, path: Path, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """See `ObjectStore`."""
        with self._circuit.call():
            return await self._store.put_file(key, path, content_type=content_type, metadata=metadata)

    async def begin_multipart(
        self, key: str, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> str:
        """See `ObjectStore`."""
        with self._circuit.call():
            return await self._store.begin_multipart(key, content_type=content_type, metadata=metadata)

    async def put_part(self, key: str, multipart_id: str, number: int, body: Chunks, *, crc32c: int) -> str:
        """See `ObjectStore`."""
        with self._circuit.call():
            return await self._store.put_part(key, multipart_id, number, body, crc32c=crc32c)

    async def sign_part(
        self, key: str, multipart_id: str, number: int, *, size: int, crc32c: int, expires_in: timedelta
    ) -> SignedPut:
        """See `ObjectStore`; no request."""
        return await self._store.sign_part(key, multipart_id, number, size=size, crc32c=crc32c, expires_in=expires_in)

    async def list_parts(self, key: str, multipart_id: str) -> AsyncIterator[StoredPart]:
        """See `ObjectStore`."""
        async for part in self._streamed(self._store.list_parts(key, multipart_id)):
            yield part

    async def complete_multipart(self, key: str, multipart_id: str, parts: Sequence[UploadedPart]) -> StoredObject:
        """See `ObjectStore`."""
        with self._circuit.call():
            return await self._store.complete_multipart(key, multipart_id, parts)

    async def abort_multipart(self, key: str, multipart_id: str) -> None:
        """See `ObjectStore`."""
        with self._circuit.call():
            await self._store.abort_multipart(key, multipart_id)

    async def list_multiparts(self, prefix: str) -> AsyncIterator[UnfinishedMultipart]:
        """See `ObjectStore`."""
        async for unfinished in self._streamed(self._store.list_multiparts(prefix)):
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
        """See `ObjectStore`."""
        with self._circuit.call():
            return await self._store.copy(source, key, content_type=content_type, metadata=metadata, copied=copied)

    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore`."""
        with self._circuit.call():
            return await self._store.head(key)

    def read(self, key: str) -> AsyncGenerator[bytes, None]:
        """See `ObjectStore`."""
        return self._streamed(self._store.read(key))

    async def delete(self, keys: Sequence[str]) -> None:
        """See `ObjectStore`."""
        with self._circuit.call():
            await self._store.delete(keys)

    def list(self, prefix: str, *, after: str = "") -> AsyncIterator[StoredObject]:
        """See `ObjectStore`."""
        return self._streamed(self._store.list(prefix, after=after))

    async def sign_url(
        self, key: str, expires_in: timedelta, *, file_name: str, content_type: str = "", as_attachment: bool = False
    ) -> str:
        """See `ObjectStore`; no request."""
        return await self._store.sign_url(
            key, expires_in, file_name=file_name, content_type=content_type, as_attachment=as_attachment
        )

    async def check(self) -> None:
        """See `ObjectStore`."""
        with self._circuit.call():
            await self._store.check()

    async def close(self) -> None:
        """See `ObjectStore`."""
        await self._store.close()

    async def _streamed(self, source: AsyncIterator[T]) -> AsyncGenerator[T, None]:
        with self._circuit.call() as answered:
            try:
                async for item in source:
                    answered()
                    yield item
            finally:
                if isinstance(source, AsyncGenerator):
                    await source.aclose()


def _show(now: CircuitState) -> None:
    for state in CircuitState:
        CIRCUIT.labels(state).set(state is now)
