"""Objects that wait to be imported, in a folder or in a bucket, and a gateway before them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from mediafleet import AsyncClient, Importable
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.intake.crc32c import checksum
from mediafleet_core.ports import ObjectStore
from mediafleet_core.storage import StorageSettings, open_store
from tests.directs import Bucket
from tests.gateways import Metadata, Reached, bearer, running, settings

ANN = bearer("ann")


class Shelf(Protocol):
    """Where people put objects."""

    async def put(self, key: str, content: bytes) -> None:
        """An object below `imports/`, or another one in its place."""

    async def drop(self, key: str) -> None:
        """No object any more."""


class Folder:
    """See `Shelf`: plain files."""

    def __init__(self, root: Path) -> None:
        self._root = root / "imports"

    async def put(self, key: str, content: bytes) -> None:
        path = self._root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    async def drop(self, key: str) -> None:
        (self._root / key).unlink()


class Objects:
    """See `Shelf`: objects of an S3 server."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def put(self, key: str, content: bytes) -> None:
        await self._store.put(f"imports/{key}", [content], crc32c=checksum(content))

    async def drop(self, key: str) -> None:
        await self._store.delete([f"imports/{key}"])


class Place(NamedTuple):
    """A gateway, a client of it, the shelf, and the storage behind both."""

    reached: Reached
    client: AsyncClient
    shelf: Shelf
    store: ObjectStore
    storage: StorageSettings

    async def found(self, prefix: str = "") -> Sequence[Importable]:
        """What there is to import."""
        return [each async for each in self.client.imports.list(prefix)]

    async def only(self, key: str, content: bytes = b"content") -> Importable:
        """One object, put there for ann and listed."""
        await self.shelf.put(f"ann/{key}", content)
        (found,) = await self.found(key)
        return found

    async def left(self) -> list[str]:
        """Keys of all objects and multiparts of uploads."""
        keys = [stored.key async for stored in self.store.list("uploads/")]
        return keys + [found.key async for found in self.store.list_multiparts("uploads/")]


def token(metadata: Metadata = ANN) -> str:
    """As the SDK wants it."""
    return metadata[0][1].removeprefix("Bearer ")


@asynccontextmanager
async def place(
    redis_url: str,
    folder: Path,
    bucket: Bucket | None = None,
    gateway: dict[str, Any] | None = None,
    intake: dict[str, Any] | None = None,
    **storage: Any,
) -> AsyncIterator[Place]:
    """A gateway on the bucket, or on the folder `objects` where there is none."""
    configured = settings(redis_url, folder / "objects", gateway=gateway, intake=intake)
    if bucket is not None:
        configured = configured._replace(storage=bucket.storage.model_copy(update=storage))
    store = open_store(configured.storage)
    shelf: Shelf = Objects(store) if bucket else Folder(folder / "objects")
    try:
        async with (
            running(configured) as reached,
            AsyncClient(str(reached.gateway.address), token=token(), timeout=20) as client,
        ):
            yield Place(reached, client, shelf, store, configured.storage)
    finally:
        await store.close()


def empty(r2: Bucket, redis_url: str, folder: Path, **more: Any) -> AbstractAsyncContextManager[Place]:
    """A gateway on the bucket, in which nothing lies and nothing goes wrong."""
    r2.plan()
    r2.clear()
    return place(redis_url, folder, r2, **more)


async def take(here: Place, source: Importable, metadata: Metadata = ANN, **more: Any) -> pb.Upload:
    """By the bare call."""
    request = pb.ImportUploadRequest(source_key=source.key, source_etag=source.etag, **more)
    return (await here.reached.uploads.ImportUpload(request, metadata=metadata)).upload
