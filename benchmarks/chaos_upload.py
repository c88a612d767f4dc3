"""One upload through three gateways, of which the serving one is killed again and again.

Measured are the bytes that are sent again after each kill, in parts, and the time until the file is durable. The
end-to-end tests do the same with a smaller file.

Reference: the goal, at most about one part for each kill. SHA-256 must be equal, and no multipart may be left.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, NamedTuple

import click

from mediafleet import AsyncClient, UploadProgress, UploadState
from mediafleet_core.parts import MIB, part_size
from tests.e2e.dev_server import dev_server

GATEWAYS = 3


class Chaos(NamedTuple):
    """What came of it: bytes sent again after each kill, seconds until all bytes were durable, and the digests."""

    resent: list[int]
    seconds: float
    sent_sha256: str
    stored_sha256: str
    worker_sha256: str


async def upload_through_kills(
    file: Path, targets: Sequence[str], token: str, pids: Callable[[], Mapping[str, int]], kills: int, seed: int
) -> Chaos:
    """Sends `file` while its gateway is SIGKILLed at `kills` random places; `pids` names each child's pid as it is now.

    The dev server starts each again meanwhile.
    """
    size = await asyncio.to_thread(os.path.getsize, file)
    places = sorted(random.Random(seed).sample(range(size // 20, size - size // 20), kills))
    before: list[int] = []

    def killing(progress: UploadProgress) -> None:
        if len(before) < kills and progress.bytes_sent >= places[len(before)]:
            before.append(progress.bytes_resent)
            os.kill(pids()[f"gateway-{targets.index(client.target)}"], signal.SIGKILL)
        if progress.state == "RECEIVING":
            seen.append(progress.bytes_resent)

    seen = [0]
    async with AsyncClient(targets=targets, token=token, timeout=60) as client:
        start = time.perf_counter()
        upload = await client.upload(file, display_name="chaos.bin", progress=killing)
        seconds = time.perf_counter() - start
        done = await client.wait(upload.upload_id, timeout=600)
        assert done.state == UploadState.UPLOAD_STATE_SUCCEEDED, done
        url = await client.download_url(upload.upload_id)
    sent, stored = await asyncio.to_thread(lambda: (_sha256(file.open("rb")), _sha256(urllib.request.urlopen(url))))
    totals = [*before, seen[-1]]
    resent = [after - earlier for earlier, after in pairwise(totals)]
    return Chaos(resent, seconds, sent, stored, done.checksums.sha256.hex())


def _sha256(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    with content:
        while chunk := content.read(MIB):
            digest.update(chunk)
    return digest.hexdigest()


def unfinished_multiparts(data_dir: Path) -> list[Path]:
    """Of a dev server's local storage."""
    return list((data_dir / "objects" / "multiparts").iterdir())


def make_file(path: Path, size: int, seed: int) -> Path:
    """A file of bytes that differ everywhere."""
    source = random.Random(seed)
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(source.randbytes(MIB))
        file.write(source.randbytes(size % MIB))
    return path


@click.command(help=__doc__)
@click.option("--size", default=1024, show_default=True, help="MiB of the file.")
@click.option("--kills", default=5, show_default=True, help="Of the gateway that serves.")
@click.option("--seed", default=1, show_default=True, help="Of the content and of where kills fall.")
def main(size: int, kills: int, seed: int) -> None:
    """Start a dev server with three gateways, upload through the kills, print the figures."""
    with TemporaryDirectory(prefix="mediafleet-chaos-") as folder:
        file = make_file(Path(folder) / "file", size * MIB, seed)
        with dev_server(Path(folder) / "data", "--gateways", str(GATEWAYS)) as server:
            targets = server.endpoints["gateways"]
            went = asyncio.run(upload_through_kills(file, targets, server.token, lambda: server.pids, kills, seed))
            left = unfinished_multiparts(server.data_dir)
    part = part_size(size * MIB)
    click.echo(f"{size} MiB, {kills} kills, seed {seed}: {went.seconds:.1f} s until durable")
    click.echo(f"SHA-256 equal: {went.sent_sha256 == went.stored_sha256 == went.worker_sha256}")
    click.echo(f"parts sent again after each kill: {', '.join(f'{each / part:.2f}' for each in went.resent)}")
    click.echo(f"unfinished multiparts: {len(left)}")


if __name__ == "__main__":
    main()
