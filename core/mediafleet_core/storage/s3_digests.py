"""What S3 is told of a body so that it refuses another one: its CRC32C, or its MD5 where a server wants that."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mediafleet_core.ports import Chunks, UploadedPart
from mediafleet_core.storage.bodies import crc32c_of, pieces_of
from mediafleet_core.storage.s3_calls import Calls
from mediafleet_core.storage.settings import BodyDigest
from mediafleet_core.storage.troubles import corrupt


class Digests:
    """As headers of our own requests, and as parameters of boto3."""

    def __init__(self, digest: BodyDigest, calls: Calls) -> None:
        """MD5s are made in the threads of `calls`."""
        self.known_before = digest is BodyDigest.CRC32C
        """Whether it can be bound to a URL before the bytes are seen."""
        self._calls = calls

    async def header(self, key: str, body: Chunks, crc32c: int) -> dict[str, str]:
        """Of a body whose CRC32C is known."""
        if self.known_before:
            return {"x-amz-checksum-crc32c": base64_of(crc32c)}
        return {"content-md5": await self._calls.run(_md5_of, key, body, crc32c)}

    async def of_file(self, key: str, path: Path) -> dict[str, Any]:
        """Of a PutObject."""
        return await self._calls.run(self._of_file, key, path)

    @property
    def of_parts(self) -> dict[str, Any]:
        """Of a CreateMultipartUpload: what parts will come with."""
        return {"ChecksumAlgorithm": "CRC32C"} if self.known_before else {}

    def of_part(self, part: UploadedPart) -> dict[str, Any]:
        """Of a part that Complete names."""
        return {"ChecksumCRC32C": base64_of(part.crc32c)} if self.known_before else {}

    def _of_file(self, key: str, path: Path) -> dict[str, Any]:
        crc32c = crc32c_of(pieces_of(path))
        if self.known_before:
            return {"ChecksumCRC32C": base64_of(crc32c)}
        return {"ContentMD5": _md5_of(key, pieces_of(path), crc32c)}


def _md5_of(key: str, body: Iterable[bytes | memoryview], crc32c: int) -> str:
    """As Content-MD5 wants it. Raises STORED_OBJECT_CORRUPT unless `crc32c` is of the same bytes."""
    md5, found = hashlib.md5(usedforsecurity=False), 0
    for piece in body:
        md5.update(piece)
        found = crc32c_of([piece], found)
    if found != crc32c:
        raise corrupt(key)
    return b64encode(md5.digest()).decode()


def base64_of(crc32c: int) -> str:
    """As S3 writes it."""
    return b64encode(crc32c.to_bytes(4, "big")).decode()


def crc32c_in(checksum: str | None) -> int | None:
    """What S3 wrote, if it did."""
    return int.from_bytes(b64decode(checksum), "big") if checksum else None
