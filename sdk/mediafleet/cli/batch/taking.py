"""A prefix of the bucket that becomes a batch: which batch it is, and its objects on their way into it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from mediafleet.aio import AsyncClient
from mediafleet.cli.batch.bars import BatchBars
from mediafleet.cli.batch.options import About
from mediafleet.cli.batch.scanning import Choice
from mediafleet.cli.batch.sending import SentSoFar, identifying, open_batch, raise_what_concerns_all
from mediafleet.cli.connection import Connection
from mediafleet.cli.failures import Refusal
from mediafleet.cli.text import plain
from mediafleet.v1.batches_pb2 import Batch
from mediafleet.v1.uploads_pb2 import Importable, Upload

_PAGE = 1000


async def importables(connection: Connection, prefix: str, choice: Choice) -> list[Importable]:
    """The objects that are meant, in the order of their keys."""
    start = prefix.rpartition("/")[0]
    below = len(start) + 1 if start else 0
    async with connection.async_client() as client, aclosing(client.imports.list(prefix, page_size=_PAGE)) as found:
        return [each async for each in found if _shown(each.key[below:]) and choice.covers(each.key[below:])]


class PrefixMaking:
    """See `Making`."""

    origin = "prefix"

    def __init__(self, prefix: str, found: Sequence[Importable], choice: Choice, about: About) -> None:
        """`found` are the objects with this prefix that are meant."""
        self.count, self.bytes = len(found), sum(each.size_bytes for each in found)
        begins = f"whose key begins with {plain(prefix)} " if prefix else ""
        self.nothing = (
            f"there is nothing to import: the tenant's folder in imports/ has no object {begins}that the options cover"
        )
        self._prefix, self._found, self._choice, self._about = prefix, found, choice, about

    async def opened(self, client: AsyncClient) -> Batch:
        """See `Making`: of this prefix, name and options."""
        about = self._about
        name = about.name or self._prefix.rstrip("/").rpartition("/")[2] or "imports"
        identity = ["import", self._prefix, name, *identifying(self._choice, about)]
        return await open_batch(client, name, self.count, about, identity)

    async def send(
        self, client: AsyncClient, batch_id: str, bars: BatchBars
    ) -> AsyncGenerator[tuple[str, Refusal], None]:
        """See `Making`."""
        leg = SentSoFar(bars, self.count, self.bytes, "copied")

        def progressed(place: int, upload: Upload) -> None:
            leg.moved(place, upload.committed_size)

        outcomes = client.imports.take_many(
            self._found,
            collection=self._about.collection,
            labels=self._about.labels,
            batch_id=batch_id,
            progress=progressed,
        )
        async with aclosing(outcomes):
            async for place, source, _, error in outcomes:
                leg.ended(place, source.size_bytes)
                if error is not None:
                    raise_what_concerns_all(error)
                    yield source.key, error


def _shown(path: str) -> bool:
    return not any(part.startswith(".") for part in path.split("/"))
