"""The sending leg of `mediafleet batch create`: which batch a folder is, and its files on their way into it."""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path

from mediafleet.aio import AsyncClient, Transfer
from mediafleet.cli.batch.bars import BatchBars, Leg
from mediafleet.cli.batch.scanning import Choice, Found
from mediafleet.cli.failures import Refusal
from mediafleet.errors import MediafleetError, PermissionDenied, Unauthenticated
from mediafleet.progress import UploadProgress
from mediafleet.v1.batches_pb2 import Batch

_NAMESPACE = uuid.UUID("5b0c6b1e-2f43-4a55-9a3d-0d1f6c1b7e52")


async def opened(
    client: AsyncClient,
    folder: Path,
    choice: Choice,
    count: int,
    *,
    name: str,
    collection: str,
    labels: Mapping[str, str],
    transfer: Transfer,
) -> Batch:
    """The batch of this folder, name and options, from this machine; an earlier process may have opened it.

    `folder` is absolute and without symbolic links.
    """
    name = name or os.fsencode(folder.name).decode(errors="replace")
    options = [str([*map(sorted, choice)]), collection, str(sorted(labels.items())), transfer]
    place = os.fsencode(folder).decode(errors="backslashreplace")
    identity = "\0".join([platform.node(), place, name, *options])
    return await client.batches.create(
        name,
        collection=collection,
        labels=labels,
        expected_items=count,
        request_id=str(uuid.uuid5(_NAMESPACE, identity)),
    )


async def send(
    client: AsyncClient,
    files: Sequence[Found],
    batch_id: str,
    bars: BatchBars,
    *,
    collection: str,
    labels: Mapping[str, str],
    transfer: Transfer,
    name: str = "",
) -> AsyncGenerator[tuple[str, Refusal], None]:
    """Sends what has not arrived, and yields the name of each file that was not taken, with the reason.

    Raises what would befall the files behind it as well.
    """
    total = sum(file.size for file in files)
    on_the_way: dict[int, int] = {}
    done, done_bytes = 0, 0

    def tell() -> None:
        bars.sent(Leg(done, len(files), done_bytes + sum(on_the_way.values()), total))

    def progressed(place: int, progress: UploadProgress) -> None:
        on_the_way[place] = progress.bytes_sent
        tell()

    outcomes = client.upload_many(
        (file.path for file in files),
        collection=collection,
        labels=labels,
        batch_id=batch_id,
        transfer=transfer,
        resume=True,
        progress=progressed,
    )
    async with aclosing(outcomes):
        async for place, _, _, error in outcomes:
            on_the_way.pop(place, None)
            done, done_bytes = done + 1, done_bytes + files[place].size
            tell()
            if error is None:
                continue
            if isinstance(error, Unauthenticated | PermissionDenied):
                raise error
            if isinstance(error, MediafleetError) and error.transient:
                raise error
            yield files[place].path.name, error
