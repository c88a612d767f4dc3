"""What every object store promises, shown on each."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

import aiohttp
import google_crc32c
import pytest
from prometheus_client import REGISTRY

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.ports import Chunks, ObjectStore, StoredObject, UploadedPart
from tests.waiting import eventually

T = TypeVar("T")

MIB = 1 << 20
PART = 5 * MIB
NAMES = ["foto.jpg", "Übergröße.jpg", 'a "quoted" \\ name.jpg', "写真 😀.heic", "per%cent;semi.png"]


def crc32c_of(content: bytes) -> int:
    return int(google_crc32c.value(content))


async def put(store: ObjectStore, key: str, content: bytes, content_type: str = "") -> StoredObject:
    return await store.put(key, [content], crc32c=crc32c_of(content), content_type=content_type)


async def content_of(store: ObjectStore, key: str) -> bytes:
    return b"".join([chunk async for chunk in store.read(key)])


async def all_of(items: AsyncIterator[T]) -> list[T]:
    return [item async for item in items]


async def keys_below(store: ObjectStore, prefix: str) -> list[str]:
    return [stored.key async for stored in store.list(prefix)]


async def put_part(store: ObjectStore, key: str, multipart_id: str, number: int, content: bytes) -> UploadedPart:
    crc32c = crc32c_of(content)
    halves: Chunks = [content[: len(content) // 2], memoryview(content)[len(content) // 2 :]]
    etag = await store.put_part(key, multipart_id, number, halves, crc32c=crc32c)
    return UploadedPart(number, etag, crc32c)


def requires(strict: bool) -> None:
    if not strict:
        pytest.skip("this S3 server is lenient where R2 is not")


async def test_chunks_come_back_joined(store: ObjectStore, prefix: str) -> None:
    content = os.urandom(3 * MIB + 17)
    chunks: Chunks = [content[:MIB], memoryview(content)[MIB : 2 * MIB], b"", memoryview(bytearray(content))[2 * MIB :]]
    stored = await store.put(prefix + "o/1", chunks, crc32c=crc32c_of(content), content_type="image/png")
    assert stored.size == len(content)
    chunks_read = await all_of(store.read(prefix + "o/1"))
    assert b"".join(chunks_read) == content
    assert max(map(len, chunks_read)) <= MIB


async def test_an_empty_object_is_an_object(store: ObjectStore, prefix: str) -> None:
    await store.put(prefix + "o/1", [], crc32c=0)
    head = await store.head(prefix + "o/1")
    assert head is not None
    assert head.size == 0
    assert await content_of(store, prefix + "o/1") == b""


async def test_wrong_checksum_stores_nothing(store: ObjectStore, prefix: str, strict: bool) -> None:
    requires(strict)
    with pytest.raises(MediafleetError) as refused:
        await store.put(prefix + "o/1", [b"content"], crc32c=1)
    assert refused.value.reason is Reason.STORED_OBJECT_CORRUPT
    assert await store.head(prefix + "o/1") is None


async def test_a_wrong_part_checksum_is_refused(store: ObjectStore, prefix: str, strict: bool) -> None:
    requires(strict)
    multipart = await store.begin_multipart(prefix + "o/1")
    with pytest.raises(MediafleetError) as refused:
        await store.put_part(prefix + "o/1", multipart, 1, [b"content"], crc32c=1)
    assert refused.value.reason is Reason.STORED_OBJECT_CORRUPT
    await store.abort_multipart(prefix + "o/1", multipart)


async def test_put_replaces(store: ObjectStore, prefix: str) -> None:
    first = await put(store, prefix + "o/1", b"first, and longer", content_type="text/plain")
    second = await put(store, prefix + "o/1", b"second", content_type="text/html")
    assert first.etag != second.etag
    head = await store.head(prefix + "o/1")
    assert head is not None
    assert (head.size, head.etag, head.content_type) == (6, second.etag, "text/html")
    assert await content_of(store, prefix + "o/1") == b"second"


async def test_put_file(store: ObjectStore, prefix: str, tmp_path: Path) -> None:
    content = os.urandom(2 * MIB + 1)
    path = tmp_path / "rendition.webp"
    path.write_bytes(content)
    stored = await store.put_file(prefix + "r/1/thumb.webp", path, content_type="image/webp", metadata={"a": "b"})
    assert stored.size == len(content)
    assert await content_of(store, prefix + "r/1/thumb.webp") == content
    head = await store.head(prefix + "r/1/thumb.webp")
    assert head is not None
    assert (head.etag, head.content_type, head.metadata) == (stored.etag, "image/webp", {"a": "b"})
    assert head.modified is not None
    assert head.modified.tzinfo is not None


async def test_what_is_not_there(store: ObjectStore, prefix: str) -> None:
    assert await store.head(prefix + "o/1") is None
    with pytest.raises(MediafleetError) as missing:
        await content_of(store, prefix + "o/1")
    assert missing.value.reason is Reason.ORIGINAL_MISSING
    await store.delete([prefix + "o/1", prefix + "o/2"])
    await store.delete([])
    assert await keys_below(store, prefix) == []


@pytest.mark.parametrize("name", [*NAMES, " blanks around ", "line\nbreak", ""])
async def test_metadata_of_any_characters(store: ObjectStore, prefix: str, name: str) -> None:
    metadata = {"display-name": name, "spec": '{"labels": {"ort": "Köln"}}'}
    await store.put(prefix + "o/1", [b"x"], crc32c=crc32c_of(b"x"), metadata=metadata)
    head = await store.head(prefix + "o/1")
    assert head is not None
    assert head.metadata == metadata


async def test_list_is_in_key_order_and_below_the_prefix(store: ObjectStore, prefix: str) -> None:
    names = ["a/1", "a/10", "a/2", "a-b", "a.b", "aa", "b/c/d", "manifest.json"]
    for name in names:
        await put(store, prefix + name, name.encode())
    await put(store, prefix[:-1] + "-sibling/o/1", b"x")
    assert await keys_below(store, prefix) == sorted(prefix + name for name in names)
    assert await keys_below(store, prefix + "a/1") == [prefix + "a/1", prefix + "a/10"]
    assert await keys_below(store, prefix + "b/") == [prefix + "b/c/d"]
    sizes = [stored.size async for stored in store.list(prefix + "a/")]
    assert sizes == [3, 4, 3]
    in_order = sorted(prefix + name for name in names)
    for place, after in enumerate(in_order):
        assert [stored.key async for stored in store.list(prefix, after=after)] == in_order[place + 1 :]
    assert [stored.key async for stored in store.list(prefix, after=prefix + "a/")] == in_order[2:]
    await store.delete([prefix + "a/1", prefix + "b/c/d"])
    assert await keys_below(store, prefix) == sorted(prefix + name for name in set(names) - {"a/1", "b/c/d"})


async def test_more_keys_than_one_call_carries(store: ObjectStore, prefix: str) -> None:
    keys = [f"{prefix}{number:04}" for number in range(1_001)]
    for start in range(0, len(keys), 16):
        await asyncio.gather(*(put(store, key, b"x") for key in keys[start : start + 16]))
    assert await keys_below(store, prefix) == keys
    assert [stored.key async for stored in store.list(prefix, after=prefix)] == keys
    await store.delete(keys)
    assert await keys_below(store, prefix) == []


async def test_multipart_in_any_order_and_with_gaps(store: ObjectStore, prefix: str) -> None:
    key = prefix + "o/1"
    contents = {1: os.urandom(PART), 2: os.urandom(PART), 7: os.urandom(PART), 10_000: os.urandom(1_000)}
    multipart = await store.begin_multipart(key, content_type="video/mp4", metadata={"display-name": "Süd.mp4"})
    assert await store.head(key) is None
    parts = {number: await put_part(store, key, multipart, number, contents[number]) for number in (10_000, 2, 7, 1)}
    # Part 2 came from a writer that was overtaken: it is not named.
    stored = await store.complete_multipart(key, multipart, [parts[1], parts[7], parts[10_000]])
    expected = contents[1] + contents[7] + contents[10_000]
    assert (stored.key, stored.size, stored.content_type) == (key, len(expected), "video/mp4")
    assert stored.metadata == {"display-name": "Süd.mp4"}
    assert await content_of(store, key) == expected
    assert await all_of(store.list_multiparts(prefix)) == []


async def test_a_part_sent_again_replaces(store: ObjectStore, prefix: str) -> None:
    key = prefix + "o/1"
    multipart = await store.begin_multipart(key)
    await put_part(store, key, multipart, 1, b"first")
    again = await put_part(store, key, multipart, 1, b"again")
    await store.complete_multipart(key, multipart, [again])
    assert await content_of(store, key) == b"again"


async def test_complete_repeated_answers_the_same(store: ObjectStore, prefix: str) -> None:
    key = prefix + "o/1"
    multipart = await store.begin_multipart(key)
    parts = [await put_part(store, key, multipart, 1, b"content")]
    first = await store.complete_multipart(key, multipart, parts)
    assert await store.complete_multipart(key, multipart, parts) == first


async def test_complete_takes_no_part_it_does_not_have(store: ObjectStore, prefix: str) -> None:
    key = prefix + "o/1"
    multipart = await store.begin_multipart(key)
    part = await put_part(store, key, multipart, 1, b"content")
    with pytest.raises(MediafleetError):
        await store.complete_multipart(key, multipart, [part._replace(number=2)])
    assert await store.head(key) is None
    await store.abort_multipart(key, multipart)


async def test_stored_parts_are_listed(store: ObjectStore, prefix: str) -> None:
    key = prefix + "o/1"
    multipart = await store.begin_multipart(key)
    assert await all_of(store.list_parts(key, multipart)) == []
    parts = [await put_part(store, key, multipart, number, b"x" * number) for number in (10_000, 2, 7)]
    listed = await all_of(store.list_parts(key, multipart))
    assert [(part.number, part.size, part.etag) for part in listed] == sorted(
        (part.number, part.number, part.etag) for part in parts
    )
    known = {part.number: part.crc32c for part in parts}
    assert all(part.crc32c in (known[part.number], None) for part in listed)
    await store.abort_multipart(key, multipart)
    with pytest.raises(MediafleetError) as gone:
        await all_of(store.list_parts(key, multipart))
    assert gone.value.reason is Reason.ORIGINAL_MISSING


@pytest.mark.long
async def test_more_parts_than_one_call_lists(store: ObjectStore, prefix: str) -> None:
    key = prefix + "o/1"
    multipart = await store.begin_multipart(key)
    numbers = range(1, 1_002)
    for start in numbers[::16]:
        here = numbers[start - 1 : start + 15]
        await asyncio.gather(*(put_part(store, key, multipart, number, b"x") for number in here))
    assert [part.number async for part in store.list_parts(key, multipart)] == list(numbers)
    await store.abort_multipart(key, multipart)


async def test_a_signed_part_takes_its_own_bytes_alone(store: ObjectStore, prefix: str, strict: bool) -> None:
    requires(strict)
    key, content = prefix + "o/1", os.urandom(MIB)
    multipart = await store.begin_multipart(key)
    asked = {"size": len(content), "crc32c": crc32c_of(content), "expires_in": timedelta(minutes=5)}
    if not store.signs_parts:
        with pytest.raises(MediafleetError) as refused:
            await store.sign_part(key, multipart, 3, **asked)  # type: ignore[arg-type]
        assert refused.value.reason is Reason.DIRECT_UNAVAILABLE
        return
    signed = await store.sign_part(key, multipart, 3, **asked)  # type: ignore[arg-type]
    async with aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as session:

        async def put(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
            async with session.put(url, data=body, headers=headers) as answer:
                return answer.status, answer.headers.get("ETag", "").strip('"')

        other = os.urandom(MIB)
        disguised = {**signed.headers, "x-amz-checksum-crc32c": base64.b64encode(crc32c_of(other).to_bytes(4)).decode()}
        for url, body, headers in (
            (signed.url, other, signed.headers),
            (signed.url, other, disguised),
            (signed.url.replace("partNumber=3", "partNumber=4"), content, signed.headers),
        ):
            status, _ = await put(url, body, headers)
            assert 400 <= status < 500
        assert await all_of(store.list_parts(key, multipart)) == []
        status, etag = await put(signed.url, content, signed.headers)
    assert status == 200
    assert [(part.number, part.etag) async for part in store.list_parts(key, multipart)] == [(3, etag)]
    await store.complete_multipart(key, multipart, [UploadedPart(3, etag, crc32c_of(content))])
    assert await content_of(store, key) == content


async def test_who_comes_after_complete_changes_nothing(store: ObjectStore, prefix: str, strict: bool) -> None:
    requires(strict)
    key, content = prefix + "o/1", os.urandom(PART)
    multipart = await store.begin_multipart(key)
    parts = [await put_part(store, key, multipart, number, content) for number in (1, 5)]
    stored = await store.complete_multipart(key, multipart, parts)
    # A writer that was paused wakes up with a part, and with a Complete of what it knew.
    with suppress(MediafleetError):  # Swift takes a late part, which is then in nothing
        await put_part(store, key, multipart, 2, b"late")
    with pytest.raises(MediafleetError):
        await store.complete_multipart(key, multipart, parts[:1])
    await store.abort_multipart(key, multipart)
    assert await store.head(key) == stored
    assert await content_of(store, key) == content + content
    assert await all_of(store.list_multiparts(prefix)) == []


async def test_abort_twice_leaves_nothing(store: ObjectStore, prefix: str) -> None:
    key = prefix + "o/1"
    multipart = await store.begin_multipart(key)
    await put_part(store, key, multipart, 1, b"content")
    await store.abort_multipart(key, multipart)
    await store.abort_multipart(key, multipart)
    assert await all_of(store.list_multiparts(prefix)) == []
    assert await store.head(key) is None


async def test_an_aborted_multipart_is_gone(store: ObjectStore, prefix: str, strict: bool) -> None:
    requires(strict)
    key = prefix + "o/1"
    multipart = await store.begin_multipart(key)
    part = await put_part(store, key, multipart, 1, b"content")
    await store.abort_multipart(key, multipart)
    with pytest.raises(MediafleetError) as gone:
        await put_part(store, key, multipart, 2, b"content")
    assert gone.value.reason is Reason.ORIGINAL_MISSING
    with pytest.raises(MediafleetError) as gone:
        await store.complete_multipart(key, multipart, [part])
    assert gone.value.reason is Reason.ORIGINAL_MISSING


async def test_unfinished_multiparts_are_listed(store: ObjectStore, prefix: str, strict: bool) -> None:
    begun = sorted([(key, await store.begin_multipart(key)) for key in (prefix + "b/o/1", prefix + "a/o/1")])
    listed = sorted(await all_of(store.list_multiparts(prefix)))
    assert [(found.key, found.multipart_id) for found in listed] == begun
    if strict:  # moto alone tells no true time
        assert all(abs(datetime.now(UTC) - found.begun) < timedelta(minutes=1) for found in listed)
    assert await all_of(store.list_multiparts(prefix + "a/")) == listed[:1]
    for key, multipart in begun:
        await store.abort_multipart(key, multipart)
    assert await all_of(store.list_multiparts(prefix)) == []


async def test_writers_of_one_key_leave_one_whole_object(store: ObjectStore, prefix: str) -> None:
    contents = [bytes([number]) * (MIB + number) for number in range(8)]
    await asyncio.gather(
        *(
            store.put(
                prefix + "o/1",
                [content],
                crc32c=crc32c_of(content),
                content_type=f"text/x{number}",
                metadata={"n": str(number)},
            )
            for number, content in enumerate(contents)
        ),
        return_exceptions=True,  # a store may refuse writers that come too fast
    )
    head = await store.head(prefix + "o/1")
    assert head is not None
    number = int(head.metadata["n"])
    assert (head.size, head.content_type) == (MIB + number, f"text/x{number}")
    assert await content_of(store, prefix + "o/1") == contents[number]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("as_attachment", [False, True], ids=["inline", "attachment"])
async def test_signed_url_serves_under_the_name(
    store: ObjectStore, prefix: str, name: str, as_attachment: bool
) -> None:
    await put(store, prefix + "o/1", b"content", content_type="image/heic")
    url = await store.sign_url(
        prefix + "o/1", timedelta(minutes=5), file_name=name, content_type="image/jpeg", as_attachment=as_attachment
    )
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        assert await answer.read() == b"content"
        assert answer.headers["Content-Type"] == "image/jpeg"
        disposition = answer.content_disposition
        assert disposition is not None
        assert disposition.type == ("attachment" if as_attachment else "inline")
        raw = answer.headers["Content-Disposition"]
        _, extended, encoded = raw.partition("filename*=UTF-8''")
        assert (unquote(encoded) if extended else disposition.filename) == name


async def test_signed_url_answers_ranges(store: ObjectStore, prefix: str) -> None:
    content = os.urandom(2 * MIB)
    await put(store, prefix + "o/1", content)
    url = await store.sign_url(prefix + "o/1", timedelta(minutes=5), file_name="a.bin")
    async with aiohttp.ClientSession() as session:
        for wanted, first, last in (
            ("5-9", 5, 9),
            ("1048570-", 1048570, 2 * MIB - 1),
            ("-3", 2 * MIB - 3, 2 * MIB - 1),
        ):
            async with session.get(url, headers={"Range": f"bytes={wanted}"}) as answer:
                assert answer.status == 206
                assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(content)}"
                assert await answer.read() == content[first : last + 1]
        async with session.get(url, headers={"Range": f"bytes={2 * MIB}-"}) as answer:
            assert answer.status == 416


async def test_signed_url_of_nothing_is_not_found(store: ObjectStore, prefix: str, strict: bool) -> None:
    requires(strict)
    url = await store.sign_url(prefix + "o/1", timedelta(minutes=5), file_name="a.bin")
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 404


async def test_signed_url_expires(store: ObjectStore, prefix: str, strict: bool) -> None:
    requires(strict)
    await put(store, prefix + "o/1", b"content")
    url = await store.sign_url(prefix + "o/1", timedelta(0), file_name="a.bin")
    async with aiohttp.ClientSession() as session:

        async def expired() -> bool:
            async with session.get(url) as answer:
                return answer.status == 403 and "expired" in (await answer.text()).lower()

        await eventually(expired, message="the signed URL to expire")


async def test_a_changed_url_is_refused(store: ObjectStore, prefix: str, strict: bool) -> None:
    requires(strict)
    for name in ("o/1", "o/2"):
        await put(store, prefix + name, b"content")
    url = await store.sign_url(prefix + "o/1", timedelta(minutes=5), file_name="holiday.jpg")
    async with aiohttp.ClientSession() as session:
        for changed in (url.replace("o/1", "o/2"), url.replace("holiday", "malware"), url[:-2], url.split("?")[0]):
            assert changed != url
            async with session.get(changed) as answer:
                assert 400 <= answer.status <= 403
                assert await answer.read() != b"content"


async def test_the_bucket_can_be_used(store: ObjectStore) -> None:
    await store.check()


async def test_operations_are_counted(store: ObjectStore, prefix: str) -> None:
    def count(name: str, **labels: str) -> float:
        value = REGISTRY.get_sample_value(f"mediafleet_storage_{name}", labels)
        assert value is not None, f"{name} {labels} is missing from the start"
        return value

    def counts() -> list[float]:
        return [
            count("requests_total", operation="put", outcome="ok"),
            count("requests_total", operation="head", outcome="not_found"),
            count("requests_total", operation="read", outcome="not_found"),
            count("request_duration_seconds_count", operation="read"),
            count("bytes_total", direction="written"),
            count("bytes_total", direction="read"),
        ]

    before = counts()
    await put(store, prefix + "o/1", b"content")
    await content_of(store, prefix + "o/1")
    await store.head(prefix + "o/2")
    with pytest.raises(MediafleetError):
        await content_of(store, prefix + "o/2")
    assert [after - was for after, was in zip(counts(), before, strict=True)] == [1, 1, 1, 2, 7, 7]
