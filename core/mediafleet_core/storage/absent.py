"""No storage at all, switched off or with wrong settings: whatever is asked of it is refused with the cause."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from mediafleet_core.errors import MediafleetError
from mediafleet_core.ports import Chunks, SignedPut, StoredObject, StoredPart, UnfinishedMultipart, UploadedPart


class AbsentStore:
    """An `ObjectStore` that holds nothing and takes nothing."""

    signs_parts = False

    def __init__(self, why: MediafleetError) -> None:
        """`why` is what every call raises."""
        self._why = why

    def require(self) -> None:
        """See `ObjectStore`."""
        raise self._refusal

    async def put(
        self, key: str, body: Chunks, *, crc32c: int, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """See `ObjectStore`."""
        raise self._refusal

    async def put_file(
        self, key: str, path: Path, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> StoredObject:
        """See `ObjectStore`."""
        raise self._refusal

    async def begin_multipart(
        self, key: str, *, content_type: str = "", metadata: Mapping[str, str] | None = None
    ) -> str:
        """See `ObjectStore`."""
        raise self._refusal

    async def put_part(self, key: str, multipart_id: str, number: int, body: Chunks, *, crc32c: int) -> str:
        """See `ObjectStore`."""
        raise self._refusal

    async def sign_part(
        self, key: str, multipart_id: str, number: int, *, size: int, crc32c: int, expires_in: timedelta
    ) -> SignedPut:
        """See `ObjectStore`."""
        raise self._refusal

    async def list_parts(self, key: str, multipart_id: str) -> AsyncGenerator[StoredPart, None]:
        """See `ObjectStore`."""
        raise self._refusal
        yield

    async def complete_multipart(self, key: str, multipart_id: str, parts: Sequence[UploadedPart]) -> StoredObject:
        """See `ObjectStore`."""
        raise self._refusal

    async def abort_multipart(self, key: str, multipart_id: str) -> None:
        """See `ObjectStore`."""
        raise self._refusal

    async def list_multiparts(self, prefix: str) -> AsyncGenerator[UnfinishedMultipart, None]:
        """See `ObjectStore`."""
        raise self._refusal
        yield

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
        raise self._refusal

    async def head(self, key: str) -> StoredObject | None:
        """See `ObjectStore`."""
        raise self._refusal

    async def read(self, key: str) -> AsyncGenerator[bytes, None]:
        """See `ObjectStore`."""
        raise self._refusal
        yield

    async def delete(self, keys: Sequence[str]) -> None:
        """See `ObjectStore`."""
        raise self._refusal

    async def list(self, prefix: str, *, after: str = "") -> AsyncGenerator[StoredObject, None]:
        """See `ObjectStore`."""
        raise self._refusal
        yield

    async def sign_url(
        self, key: str, expires_in: timedelta, *, file_name: str, content_type: str = "", as_attachment: bool = False
    ) -> str:
        """See `ObjectStore`."""
        raise self._refusal

    async def check(self) -> None:
        """See `ObjectStore`."""
        raise self._refusal

    async def close(self) -> None:
        """See `ObjectStore`."""

    @property
    def _refusal(self) -> MediafleetError:
        """A new one each time: one that is raised again would gather the traces of all."""
        return MediafleetError(self._why.reason, self._why.message)
