"""What became of one file: the record, its signed URLs, and whether every byte is what it should be."""

from __future__ import annotations

import asyncio
import hashlib
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import click

from mediafleet import AsyncClient, MediafleetError, Upload, UploadState
from mediafleet.cli.text import plain, size
from mediafleet.progress import state_name
from mediafleet.sources import FileChanged
from mediafleet.v1.uploads_pb2 import Rendition

_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


Outcome: TypeAlias = Upload | MediafleetError | OSError | FileChanged
"""The upload as it ended, or why there is none."""


@dataclass(frozen=True)
class Download:
    """A stored file that was fetched by its signed URL."""

    title: str
    url: str
    equal: bool
    """Whether its SHA-256 is the one that it should have."""


@dataclass(frozen=True)
class Receipt:
    """The outcome of one file."""

    file: Path
    outcome: Outcome
    recorded_equal: bool = False
    """Whether the record tells the SHA-256 that the file has here."""
    downloads: tuple[Download, ...] = ()

    @property
    def good(self) -> bool:
        """Processed, and every checksum equal."""
        return self.recorded_equal and all(download.equal for download in self.downloads)

    def ended_before(self, moment: datetime) -> bool:
        """Whether nothing was left to do then."""
        outcome = self.outcome
        return isinstance(outcome, Upload) and outcome.finish_time.ToDatetime(UTC) < moment

    @property
    def state(self) -> str:
        """As people read it, in colour where there is some."""
        name = state_name(self.outcome.state) if isinstance(self.outcome, Upload) else "REFUSED"
        return click.style(name, fg="green" if self.good else "red")

    def lines(self) -> Iterator[str]:
        """For people; a URL has a line to itself."""
        title = f"{click.style(plain(self.file.name), bold=True)}  {self.state}"
        if not isinstance(self.outcome, Upload):
            yield f"{title}  {self.outcome}"
            return
        upload = self.outcome
        yield f"{title}  {_about(upload)}"
        yield f"  upload    {upload.upload_id}"
        if upload.HasField("failure"):
            failure = upload.failure
            yield f"  failure   {failure.code}: {failure.message} {failure.detail}".rstrip()
            yield f"  remedy    {failure.next_step}"
        if self.downloads:
            yield f"  sha-256   {upload.checksums.sha256.hex()}"
        for download in self.downloads:
            yield f"  {download.title}{'' if download.equal else '  DIFFERS'}"
            yield f"    {download.url}"


async def receipt_of(client: AsyncClient, file: Path, outcome: Outcome) -> Receipt:
    """Downloads the original and every rendition of a processed file, and compares them with what they should be."""
    if not isinstance(outcome, Upload) or outcome.state != UploadState.UPLOAD_STATE_SUCCEEDED:
        return Receipt(file, outcome)
    sent = await asyncio.to_thread(_sha256_of, file)
    downloads = [await _download(client, outcome, "original", "", sent)]
    for made in outcome.renditions:
        downloads.append(await _download(client, outcome, _title(made), made.name, made.checksums.sha256))
    return Receipt(file, outcome, outcome.checksums.sha256 == sent, tuple(downloads))


async def _download(client: AsyncClient, upload: Upload, title: str, rendition: str, expected: bytes) -> Download:
    url = await client.download_url(upload.upload_id, rendition)
    return Download(title, url, await asyncio.to_thread(_fetch, url) == expected)


def _fetch(url: str) -> bytes:
    """SHA-256 of what the URL gives; empty if it gives nothing."""
    try:
        with _http.open(url, timeout=60) as answer:
            return hashlib.file_digest(answer, "sha256").digest()
    except OSError:
        return b""


def _sha256_of(file: Path) -> bytes:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").digest()


def _about(upload: Upload) -> str:
    image = upload.media_info.image
    facts = [upload.content_type, size(upload.size_bytes)]
    if image.width:
        facts.append(f"{image.width} x {image.height} px")
    if image.frames > 1:
        facts.append(f"{image.frames} frames")
    return ", ".join(filter(None, facts))


def _title(made: Rendition) -> str:
    return f"{made.name:8}  {made.width} x {made.height} px, {size(made.size_bytes)}, {made.content_type}"
