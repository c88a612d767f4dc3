"""A folder that becomes a batch: which batch it is, and its files on their way into it."""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path

from mediafleet.aio import AsyncClient
from mediafleet.cli.batch.bars import BatchBars, Leg
from mediafleet.cli.batch.options import About
from mediafleet.cli.batch.scanning import Choice, Found
from mediafleet.cli.failures import Refusal
from mediafleet.cli.text import plain
from mediafleet.errors import MediafleetError, PermissionDenied, Unauthenticated
from mediafleet.paths import path_within
from mediafleet.progress import UploadProgress
from mediafleet.uploading import Transfer
from mediafleet.v1.batches_pb2 import Batch

_NAMESPACE = uuid.UUID("5b0c6b1e-2f43-4a55-9a3d-0d1f6c1b7e52")
"""Of the request ids of batches that this command line opens."""


class FolderMaking:
    """See `Making`."""

    origin = "folder"

    def __init__(self, folder: Path, files: Sequence[Found], choice: Choice, about: About, transfer: Transfer) -> None:
        """`folder` is absolute and without symbolic links, `files` are those within it."""
        self.count, self.bytes = len(files), sum(file.size for file in files)
        self.nothing = f"there is nothing to send: {plain(str(folder))} has no file that the options cover"
        self._folder, self._files, self._choice, self._about = folder, files, choice, about
        self._transfer: Transfer = transfer

    async def opened(self, client: AsyncClient) -> Batch:
        """See `Making`: of this folder, name and options, from this machine."""
        about = self._about
        name = about.name or os.fsencode(self._folder.name).decode(errors="replace")
        place = os.fsencode(self._folder).decode(errors="backslashreplace")
        identity = [platform.node(), place, name, *identifying(self._choice, about), self._transfer]
        return await open_batch(client, name, self.count, about, identity)

    async def send(
        self, client: AsyncClient, batch_id: str, bars: BatchBars
    ) -> AsyncGenerator[tuple[str, Refusal], None]:
        """See `Making`."""
        leg = SentSoFar(bars, self.count, self.bytes)

        def progressed(place: int, progress: UploadProgress) -> None:
            leg.moved(place, progress.bytes_sent)

        outcomes = client.upload_many(
            (file.path for file in self._files),
            folder=self._folder,
            collection=self._about.collection,
            labels=self._about.labels,
            batch_id=batch_id,
            transfer=self._transfer,
            resume=True,
            progress=progressed,
        )
        async with aclosing(outcomes):
            async for place, _, _, error in outcomes:
                file = self._files[place]
                leg.ended(place, file.size)
                if error is not None:
                    raise_what_concerns_all(error)
                    yield path_within(self._folder, file.path), error


class SentSoFar:
    """The first leg of the bars: files and bytes that have arrived, and those on their way."""

    def __init__(self, bars: BatchBars, files: int, size: int, verb: str = "sent") -> None:
        """So many are expected, to be `verb`."""
        self._bars, self._files, self._bytes, self._verb = bars, files, size, verb
        self._done = self._done_bytes = 0
        self._on_the_way: dict[int, int] = {}

    def moved(self, place: int, size: int) -> None:
        """So much of a file is there."""
        self._on_the_way[place] = size
        self._tell()

    def ended(self, place: int, size: int) -> None:
        """A file of this size is there, or will not be."""
        self._on_the_way.pop(place, None)
        self._done, self._done_bytes = self._done + 1, self._done_bytes + size
        self._tell()

    def _tell(self) -> None:
        there = self._done_bytes + sum(self._on_the_way.values())
        self._bars.sent(Leg(self._done, self._files, there, self._bytes, self._verb))


async def open_batch(client: AsyncClient, name: str, count: int, about: About, identity: Sequence[str]) -> Batch:
    """A batch of so many files, the same one whenever this identity is named."""
    return await client.batches.create(
        name,
        collection=about.collection,
        labels=about.labels,
        expected_items=count,
        request_id=str(uuid.uuid5(_NAMESPACE, "\0".join(identity))),
    )


def identifying(choice: Choice, about: About) -> tuple[str, ...]:
    """The options that make another batch of the same files."""
    return str([*map(sorted, choice)]), about.collection, str(sorted(about.labels.items()))


def raise_what_concerns_all(error: Refusal) -> None:
    """Raises what every further file would meet, too."""
    if isinstance(error, Unauthenticated | PermissionDenied) or (
        isinstance(error, MediafleetError) and error.transient
    ):
        raise error
