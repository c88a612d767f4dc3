"""The manifest: the same bytes for the same record, and everything that a rebuild needs."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from mediafleet_core import manifest
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.media_types import MediaKind
from mediafleet_core.progress import Progress
from mediafleet_core.uploads import Checksums, ImageInfo, Rendition, State, Upload, UploadSpec

MOMENT = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)
RECORD = Upload(
    upload_id=UploadId("0190163d-8694-739b-aea5-966c26f8ad91"),
    tenant=TenantId("ann"),
    spec=UploadSpec(display_name="Übermut.jpg", labels={"b": "2", "a": "1"}, collection="trip"),
    kind=MediaKind.IMAGE,
    state=State.SUCCEEDED,
    progress=Progress(),
    content_type="image/jpeg",
    labels={"b": "2", "a": "1"},
    size_bytes=1000,
    committed_size=1000,
    checksums=Checksums(crc32c=7, sha256="ab" * 32),
    original_key="uploads/ann/0190163d-8694-739b-aea5-966c26f8ad91/o/1",
    renditions=(Rendition(name="small", key="k", content_type="image/jpeg", size_bytes=10, sha256="00", width=1),),
    media_info=ImageInfo(width=4, height=3, format="JPEG", mode="RGB", taken_time=MOMENT),
    create_time=MOMENT,
    finish_time=MOMENT,
    revision=9,
    sequence=4,
)


def test_it_is_a_pure_function_of_the_record() -> None:
    again = msgspec.structs.replace(RECORD, labels={"a": "1", "b": "2"})
    assert manifest.encode(RECORD) == manifest.encode(again)


def test_it_comes_back_whole() -> None:
    decoded = manifest.decode(manifest.encode(RECORD))
    assert decoded == manifest.manifest_of(RECORD)
    assert (decoded.schema, decoded.size_bytes, decoded.media_info) == (manifest.SCHEMA, 1000, RECORD.media_info)


def test_a_newer_schema_is_refused() -> None:
    newer = msgspec.json.encode(msgspec.structs.replace(manifest.manifest_of(RECORD), schema=manifest.SCHEMA + 1))
    with pytest.raises(ValueError, match="schema 2"):
        manifest.decode(newer)


def test_other_bytes_are_refused() -> None:
    with pytest.raises(ValueError, match="malformed"):
        manifest.decode(b"\xff not a manifest")
