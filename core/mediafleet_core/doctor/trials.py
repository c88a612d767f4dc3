"""The operations that mediafleet asks of a storage, each tried and timed."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import TypeVar

import aiohttp
import google_crc32c

from mediafleet_core.doctor.findings import Finding, failed, ok, refused
from mediafleet_core.errors import MediafleetError
from mediafleet_core.ports import ObjectStore, UploadedPart

T = TypeVar("T")

PART = 5 << 20
"""Bytes: the smallest part that is not the last one."""

_PATIENCE = aiohttp.ClientTimeout(total=30)


async def tried(name: str, step: Awaitable[str]) -> Finding:
    """The finding of a step, which answers what it has to tell."""
    try:
        took, text = await timed(step)
        return ok(name, f"{text}, {took}" if text else took)
    except MediafleetError as error:
        return refused(name, error)
    except _Differs as error:
        return failed(name, str(error), "something between here and the storage changes bytes: look for a proxy")
    except (aiohttp.ClientError, TimeoutError) as error:
        return failed(
            name,
            f"nothing answers ({type(error).__name__})",
            "check that clients reach R2_ENDPOINT_URL, or MEDIAFLEET_STORAGE_URL for a folder, and that it serves",
        )


def client() -> aiohttp.ClientSession:
    """What asks signed URLs: through the proxy that the environment names, as whoever uploads from here."""
    return aiohttp.ClientSession(timeout=_PATIENCE, trust_env=True)


async def timed(step: Awaitable[T]) -> tuple[str, T]:
    """How long it took, in words, and what it answered."""
    began = time.perf_counter()
    result = await step
    return f"{(time.perf_counter() - began) * 1000:.0f} ms", result


class _Differs(Exception):
    """What came back is not what was sent."""


async def put(store: ObjectStore, key: str, content: bytes, crc32c: int) -> str:
    """Store it."""
    await store.put(key, [content], crc32c=crc32c, content_type="text/plain", metadata={"by": "mediafleet doctor"})
    return ""


async def head(store: ObjectStore, key: str, size: int) -> str:
    """Ask for its size and metadata."""
    stored = await store.head(key)
    if stored is None or stored.size != size or stored.metadata.get("by") != "mediafleet doctor":
        raise _Differs("size or metadata are not those of the object that was put")
    return ""


async def get(store: ObjectStore, key: str, content: bytes) -> str:
    """Read it."""
    if b"".join([chunk async for chunk in store.read(key)]) != content:
        raise _Differs("other bytes came back")
    return ""


async def copy(store: ObjectStore, key: str, to: str) -> str:
    """Copy it within the storage, as imports do."""
    source = await store.head(key)
    if source is None or (await store.copy(source, to)).size != source.size:
        raise _Differs("the copy is not of the size of the object that was put")
    return ""


async def list_all(store: ObjectStore, prefix: str, keys: Sequence[str]) -> str:
    """Find these, and nothing else, below their prefix."""
    if [each.key async for each in store.list(prefix)] != keys:
        raise _Differs("the objects that were put are not listed")
    return ""


async def download(store: ObjectStore, key: str, content: bytes) -> str:
    """Fetch it by a signed URL, as a browser does."""
    url = await store.sign_url(key, timedelta(minutes=5), file_name="doctor.bin")
    async with client() as session, session.get(url) as answer:
        if answer.status != 200 or await answer.read() != content:
            raise _Differs(f"the URL of a download answers {answer.status}")
    return ""


async def delete(store: ObjectStore, key: str) -> str:
    """Remove it."""
    await store.delete([key])
    if await store.head(key) is not None:
        raise _Differs("the object is still there")
    return ""


async def round_trip(store: ObjectStore, key: str) -> str:
    """An object of two parts, made, read back and compared."""
    parts = [os.urandom(PART), os.urandom(1 << 10)]
    multipart = await store.begin_multipart(key)
    named = []
    for number, part in enumerate(parts, 1):
        crc32c = int(google_crc32c.value(part))
        named.append(UploadedPart(number, await store.put_part(key, multipart, number, [part], crc32c=crc32c), crc32c))
    await store.complete_multipart(key, multipart, named)
    found = 0
    async for chunk in store.read(key):
        found = int(google_crc32c.extend(found, chunk))
    if found != google_crc32c.value(b"".join(parts)):
        raise _Differs("the CRC32C of what came back is another one")
    return f"{PART >> 20} MiB and 1 KiB there and back, CRC32C equal"


async def give_up(store: ObjectStore, key: str) -> str:
    """A multipart that is begun, listed and aborted."""
    multipart = await store.begin_multipart(key)
    if multipart not in [each.multipart_id async for each in store.list_multiparts(key)]:
        raise _Differs("a multipart that was begun is not listed")
    await store.abort_multipart(key, multipart)
    return "begun, listed and given up"
