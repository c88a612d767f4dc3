"""The durable record of a finished upload, written beside its bytes: from it the ledger can be rebuilt."""

from __future__ import annotations

from datetime import datetime

import google_crc32c
import msgspec

from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.media_types import MediaKind
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.ports import Ledger, ObjectStore
from mediafleet_core.uploads import Checksums, MediaInfo, Rendition, StageTiming, Upload, UploadSpec

SCHEMA = 1
"""Raised when a field changes its meaning; new optional fields do not raise it."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a SUCCEEDED upload is, without anything of how it came to be that a rebuilt ledger would not show."""

    schema: int = SCHEMA
    upload_id: UploadId
    tenant: TenantId
    spec: UploadSpec
    kind: MediaKind
    content_type: str
    caption: str
    labels: dict[str, str]
    size_bytes: int
    checksums: Checksums
    original_key: str
    renditions: tuple[Rendition, ...]
    media_info: MediaInfo | None
    timings: tuple[StageTiming, ...]
    attempt: int
    create_time: datetime
    start_time: datetime | None
    finish_time: datetime | None
    revision: int


def manifest_of(upload: Upload) -> Manifest:
    """The manifest of a committed record."""
    return msgspec.convert(upload, Manifest, from_attributes=True)


def encode(upload: Upload) -> bytes:
    """The manifest as JSON: the same bytes for the same record."""
    return msgspec.json.format(msgspec.json.encode(manifest_of(upload), order="deterministic"))


def decode(content: bytes) -> Manifest:
    """The manifest behind the bytes. Raises ValueError if they are none, or of a newer schema."""
    manifest = msgspec.json.decode(content, type=Manifest)
    if manifest.schema > SCHEMA:
        raise ValueError(f"the manifest has schema {manifest.schema}, this release reads up to {SCHEMA}")
    return manifest


async def write(store: ObjectStore, ledger: Ledger, upload: Upload) -> None:
    """Store the manifest and tell the ledger. May be repeated."""
    content = encode(upload)
    key = UploadKeys(upload.tenant, upload.upload_id).manifest
    await store.put(key, [content], crc32c=google_crc32c.value(content), content_type="application/json")
    await ledger.manifest_written(upload)
