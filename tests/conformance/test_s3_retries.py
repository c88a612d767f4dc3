"""Which of S3's answers are asked for again, and what the others become; against a server that answers as told."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from hashlib import md5

import google_crc32c
import pytest
from aiohttp import web

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.ports import UploadedPart
from mediafleet_core.storage.s3 import S3Store
from mediafleet_core.storage.settings import BodyDigest
from tests.conformance.conftest import S3Endpoint
from tests.waiting import eventually

CONTENT = b"content"
CRC32C = int(google_crc32c.value(CONTENT))
ETAG = md5(CONTENT, usedforsecurity=False).hexdigest()


def error(status: int, code: str) -> web.Response:
    text = f"<Error><Code>{code}</Code><Message>words of the server</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")


def stored(etag: str = ETAG) -> web.Response:
    return web.Response(headers={"ETag": f'"{etag}"'})


class Server:
    """Gives its answers one after the other, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[web.StreamResponse] = []
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.queries: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.method)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.queries.append(dict(request.query))
        self.bodies.append(await request.read())
        return self.answers.pop(0)

    def store(self, digest: BodyDigest = BodyDigest.CRC32C) -> S3Store:
        settings = S3Endpoint(self.url, "key-id", "secret", strict=True).settings()
        return S3Store(settings.model_copy(update={"storage_digest": digest}))


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0]
    server.url = f"http://{host}:{port}"
    yield server
    await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (502, "BadGateway"),
        (503, "SlowDown"),
        (504, "GatewayTimeout"),
        (400, "ClientDisconnect"),
        (400, "IncompleteBody"),
        (400, "BadDigest"),
    ],
)
async def test_asked_again(server: Server, status: int, code: str) -> None:
    server.answers = [error(status, code), stored()]
    store = server.store()
    answer = await store.put("o/1", [CONTENT[:3], CONTENT[3:]], crc32c=CRC32C)
    await store.close()
    assert (answer.etag, answer.size) == (ETAG, len(CONTENT))
    assert server.bodies == [CONTENT, CONTENT]


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (400, "AuthorizationQueryParametersError", Reason.STORAGE_DENIED),
        (401, "Unauthorized", Reason.STORAGE_DENIED),
        (403, "SignatureDoesNotMatch", Reason.STORAGE_DENIED),
        (404, "NoSuchBucket", Reason.STORAGE_DENIED),
        (404, "NoSuchUpload", Reason.ORIGINAL_MISSING),
        (412, "PreconditionFailed", Reason.SOURCE_CHANGED),
        (400, "EntityTooSmall", Reason.INTERNAL),
        (400, "InvalidPart", Reason.PART_MISMATCH),
    ],
)
async def test_never_asked_again(server: Server, status: int, code: str, reason: Reason) -> None:
    server.answers = [error(status, code)]
    store = server.store()
    with pytest.raises(MediafleetError) as raised:
        await store.put_part("o/1", "id", 1, [CONTENT], crc32c=CRC32C)
    await store.close()
    assert raised.value.reason is reason
    assert "words of the server" not in raised.value.message
    assert server.asked == ["PUT"]


async def test_patience_ends(server: Server) -> None:
    server.answers = [error(503, "ServiceUnavailable") for _ in range(4)]
    store = server.store()
    with pytest.raises(MediafleetError) as raised:
        await store.put("o/1", [CONTENT], crc32c=CRC32C)
    await store.close()
    assert raised.value.reason is Reason.STORAGE_UNAVAILABLE
    assert raised.value.metadata["cause"] == "server_error"
    assert server.answers == []


async def test_nobody_listens(server: Server) -> None:
    server.url = "http://127.0.0.1:1"
    store = server.store()
    with pytest.raises(MediafleetError) as raised:
        await store.head("o/1")
    await store.close()
    assert raised.value.reason is Reason.STORAGE_UNAVAILABLE
    assert raised.value.metadata["cause"] == "network"


@pytest.mark.parametrize("made_of_these_parts", [True, False])
async def test_complete_whose_answer_was_lost(server: Server, made_of_these_parts: bool) -> None:
    digest = md5(bytes.fromhex(ETAG if made_of_these_parts else "00"), usedforsecurity=False).hexdigest()
    made = f"{digest}-1"
    head = [web.Response(body=CONTENT, headers={"ETag": f'"{made}"'}) for _ in range(2)]
    for each in head:
        each.last_modified = 0
    server.answers = [error(500, "InternalError"), head[0], error(404, "NoSuchUpload"), head[1]]
    store = server.store()
    parts = [UploadedPart(1, ETAG, CRC32C)]
    if made_of_these_parts:
        assert (await store.complete_multipart("o/1", "id", parts)).etag == made
        assert server.asked == ["POST", "HEAD"]
    else:
        with pytest.raises(MediafleetError) as raised:
            await store.complete_multipart("o/1", "id", parts)
        assert raised.value.reason is Reason.ORIGINAL_MISSING
        assert server.asked == ["POST", "HEAD", "POST", "HEAD"]
    await store.close()


async def test_bodies_go_unjoined_with_their_digest_and_no_trailer(server: Server) -> None:
    server.answers = [stored(), stored()]
    for digest in BodyDigest:
        store = server.store(digest)
        await store.put_part("o/1", "id", 1, [CONTENT[:3], memoryview(CONTENT)[3:]], crc32c=CRC32C)
        await store.close()
    with_crc32c, with_md5 = server.headers
    assert "x-amz-checksum-crc32c" in with_crc32c
    assert "content-md5" not in with_crc32c
    assert "content-md5" in with_md5
    assert not any(name.startswith("x-amz-checksum") for name in with_md5)
    digests = ("x-amz-checksum-crc32c", "content-md5")
    for sent, query, bound in zip(server.headers, server.queries, digests, strict=True):
        assert sent["content-length"] == str(len(CONTENT))
        assert not {"transfer-encoding", "content-encoding", "x-amz-trailer", "authorization"} & sent.keys()
        assert "/auto/s3/aws4_request" in query["X-Amz-Credential"]
        assert bound in query["X-Amz-SignedHeaders"].split(";")


async def test_md5_does_not_hide_a_wrong_crc32c(server: Server) -> None:
    store = server.store(BodyDigest.MD5)
    with pytest.raises(MediafleetError) as raised:
        await store.put("o/1", [CONTENT], crc32c=1)
    await store.close()
    assert raised.value.reason is Reason.STORED_OBJECT_CORRUPT
    assert server.asked == []


async def test_delete_carries_md5_and_reports_what_is_left(server: Server) -> None:
    left = "<DeleteResult><Error><Key>o/1</Key><Code>AccessDenied</Code></Error></DeleteResult>"
    server.answers = [web.Response(text=left, content_type="application/xml")]
    store = server.store()
    with pytest.raises(MediafleetError) as raised:
        await store.delete(["o/1"])
    await store.close()
    assert raised.value.reason is Reason.STORAGE_DENIED
    assert "content-md5" in server.headers[0]
    assert not any(name.startswith("x-amz-checksum") for name in server.headers[0])


async def test_a_broken_read_goes_on_where_it_broke(server: Server) -> None:
    broken = web.Response(body=b"0123", headers={"ETag": '"e"'})
    broken.headers["Content-Length"] = "10"
    broken.force_close()
    rest = web.Response(status=206, body=b"456789", headers={"ETag": '"e"', "Content-Range": "bytes 4-9/10"})
    server.answers = [broken, rest]
    store = server.store()
    assert b"".join([chunk async for chunk in store.read("o/1")]) == b"0123456789"
    await store.close()
    assert server.headers[1]["range"] == "bytes=4-"
    assert server.headers[1]["if-match"] == '"e"'


class Raw:
    """A server below HTTP: what it does with each connection is a coroutine of the test."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def take(self, reader: asyncio.StreamReader) -> bool:
        """Read one PUT whole; False when the client has gone."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        length = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1])  # type: ignore[index]
        self.bodies.append(await reader.readexactly(length))
        return True


@asynccontextmanager
async def raw_store(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], silence: float = 30.0
) -> AsyncIterator[S3Store]:
    """A store whose server is `serve`."""
    writers: list[asyncio.StreamWriter] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await serve(reader, writer)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    settings = S3Endpoint(f"http://{host}:{port}", "key-id", "secret", strict=True).settings()
    store = S3Store(settings.model_copy(update={"storage_timeout": timedelta(seconds=silence)}))
    try:
        yield store
    finally:
        await store.close()
        server.close()
        for writer in writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@pytest.mark.timeout(100)
async def test_who_gives_up_reading_does_not_wait_for_a_silent_server() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 3000000\r\n\r\n' + bytes(2_000_000))
        await reader.read()
        writer.close()

    async def reads() -> bool:
        return any(frame.f_code.co_name == "readinto" for frame in sys._current_frames().values())

    started = asyncio.Event()
    async with raw_store(serve, silence=3600) as store:

        async def read() -> None:
            async with contextlib.aclosing(store.read("o/1")) as chunks:
                async for _ in chunks:
                    started.set()

        reading = asyncio.create_task(read())
        await started.wait()
        await eventually(reads, message="the thread to wait for more")
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading


STORED = f'HTTP/1.1 200 OK\r\nETag: "{ETAG}"\r\nContent-Length: 0\r\n\r\n'.encode()


async def test_a_kept_connection_that_was_closed_meanwhile_loses_no_byte() -> None:
    raw = Raw()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await raw.take(reader):  # one request, and then the connection is closed without a word
            writer.write(STORED)
            await writer.drain()
        writer.close()

    async with raw_store(serve) as store:
        for number in range(1, 6):
            await store.put_part("o/1", "id", number, [CONTENT[:3], memoryview(CONTENT)[3:]], crc32c=CRC32C)
    assert raw.bodies == [CONTENT] * 5


async def test_a_server_that_stops_reading_is_given_up() -> None:
    stalled = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await stalled.wait()
        writer.close()

    large = [bytes(1 << 20)] * 32
    async with raw_store(serve, silence=0.2) as store:
        with pytest.raises(MediafleetError) as raised:
            await store.put_part("o/1", "id", 1, large, crc32c=1)
        stalled.set()
    assert raised.value.reason is Reason.STORAGE_UNAVAILABLE
    assert raised.value.metadata["cause"] == "timeout"


async def test_a_refusal_before_the_whole_body_was_read_is_heard() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        text = b"<Error><Code>AccessDenied</Code></Error>"
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        await writer.drain()
        await reader.read()
        writer.close()

    async with raw_store(serve) as store:
        with pytest.raises(MediafleetError) as raised:
            await store.put_part("o/1", "id", 1, [bytes(1 << 20)] * 32, crc32c=1)
    assert raised.value.reason is Reason.STORAGE_DENIED


async def test_a_slow_server_that_goes_on_reading_is_borne() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        left = int(re.search(rb"content-length: (\d+)", head, re.IGNORECASE)[1])  # type: ignore[index]
        while left:
            await asyncio.sleep(0.15)  # in all longer than the silence that ends a call
            left -= len(await reader.readexactly(min(left, 1 << 20)))
        writer.write(STORED)
        await writer.drain()
        await reader.read()
        writer.close()

    # What the sockets hold is read within the silence, all of it is not.
    async with raw_store(serve, silence=3.0) as store:
        assert await store.put_part("o/1", "id", 1, [bytes(1 << 20)] * 24, crc32c=1) == ETAG


@pytest.mark.parametrize("cut", [b"<?xml version='1.0'?>", b"<Error><Co"])
@pytest.mark.parametrize("code", ["BadDigest", "IncompleteBody"])
async def test_an_error_that_comes_in_two_pieces_is_understood(code: str, cut: bytes) -> None:
    raw = Raw()
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode()
    at = text.index(cut) + len(cut)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await raw.take(reader):
            if len(raw.bodies) > 1:
                writer.write(STORED)
                continue
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(text) + text[:at])
            await writer.drain()
            await asyncio.sleep(0.05)  # so that the second piece is a segment of its own
            writer.write(text[at:])
        writer.close()

    async with raw_store(serve) as store:
        assert await store.put_part("o/1", "id", 1, [CONTENT], crc32c=CRC32C) == ETAG
    assert raw.bodies == [CONTENT] * 2


async def test_a_put_under_way_when_the_store_is_closed_fails_as_any_other() -> None:
    received = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        received.set()
        await reader.read(-1)
        writer.close()

    async with raw_store(serve) as store:
        put = asyncio.create_task(store.put_part("o/1", "id", 1, [CONTENT], crc32c=CRC32C))
        await received.wait()
        await store.close()
        with pytest.raises(MediafleetError) as raised:
            await put
    assert raised.value.reason is Reason.STORAGE_UNAVAILABLE


@pytest.mark.parametrize("proxy", ["http://{}", "{}"])
async def test_puts_go_through_the_proxy_of_the_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy.format(server.url.removeprefix("http://")))
    monkeypatch.delenv("no_proxy", raising=False)
    server.url = "http://storage.invalid"
    store = server.store()
    server.answers = [stored()]
    await store.put_part("o/1", "id", 1, [CONTENT], crc32c=CRC32C)
    await store.close()
    assert server.bodies == [CONTENT]


async def test_a_proxy_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.read(-1)

    proxy = await asyncio.start_server(silent, "127.0.0.1", 0)
    host, port = proxy.sockets[0].getsockname()
    monkeypatch.setenv("https_proxy", f"http://{host}:{port}")
    monkeypatch.delenv("no_proxy", raising=False)
    settings = S3Endpoint("https://storage.invalid", "key-id", "secret", strict=True).settings()
    store = S3Store(settings.model_copy(update={"storage_timeout": timedelta(seconds=0.2)}))
    with pytest.raises(MediafleetError) as raised:
        await store.put_part("o/1", "id", 1, [CONTENT], crc32c=CRC32C)
    await store.close()
    proxy.close()
    for writer in writers:
        writer.close()
        await writer.wait_closed()
    assert raised.value.reason is Reason.STORAGE_UNAVAILABLE
    assert raised.value.metadata["cause"] == "timeout"
