"""An S3 endpoint that discards: it answers ids, ETags and sizes, and keeps nothing but small objects.

Real stores for tests are 15 to 50 times slower than the gateway, so a benchmark against them would measure them. This
one reads bodies into one buffer again and again. It checks no signature and no digest: never take it for a store.

    python -m benchmarks.discarding_s3 HOST:PORT
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import sys
from email.utils import formatdate
from typing import NamedTuple, cast
from urllib.parse import parse_qs, unquote, urlsplit

import uvloop

_HEAD_END = b"\r\n\r\n"
_KEPT = 64 << 10
"""Bytes; larger objects are only counted."""
_BUFFER = 1 << 20
_PART = re.compile(rb"<PartNumber>(\d+)</PartNumber>")


class _Request(NamedTuple):
    method: str
    key: str
    query: dict[str, list[str]]
    headers: dict[str, str]


class Bucket:
    """What is known of objects and multiparts: sizes, and the content of small objects."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.multiparts: dict[str, dict[int, int]] = {}

    def answer(self, request: _Request, size: int, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        method, key, query = request.method, request.key, request.query
        if method == "PUT" and "partNumber" in query:
            number = int(query["partNumber"][0])
            self.multiparts.setdefault(query["uploadId"][0], {})[number] = size
            return 200, {"ETag": _etag(number)}, b""
        if method == "PUT":
            kept = {name: value for name, value in request.headers.items() if name.startswith("x-amz-meta-")}
            self.objects[key] = (size, body, kept | {"ETag": _etag(size)})
            return 200, {"ETag": _etag(size)}, b""
        if method == "POST" and "uploads" in query:
            multipart_id = f"m{len(self.multiparts)}-{len(key)}"
            self.multiparts[multipart_id] = {}
            return (
                200,
                {},
                _xml("InitiateMultipartUploadResult", f"<Key>{key}</Key><UploadId>{multipart_id}</UploadId>"),
            )
        if method == "POST" and "uploadId" in query:
            return self._complete(key, self.multiparts.get(query["uploadId"][0], {}), body)
        if method == "POST" and "delete" in query:
            return 200, {}, _xml("DeleteResult", "")
        if method == "GET" and "uploadId" in query:
            return 200, {}, _parts(self.multiparts.get(query["uploadId"][0], {}))
        if method == "GET" and ("list-type" in query or "uploads" in query):
            name = "ListBucketResult" if "list-type" in query else "ListMultipartUploadsResult"
            return 200, {}, _xml(name, "<IsTruncated>false</IsTruncated>")
        if method == "DELETE":
            self.objects.pop(key, None)
            return 204, {}, b""
        if key not in self.objects:
            return 404, {}, _xml("Error", "<Code>NoSuchKey</Code>") if method == "GET" else b""
        length, content, kept = self.objects[key]
        about = kept | {"Last-Modified": formatdate(usegmt=True)}
        return (200, about, content) if method == "GET" else (200, about | {"Content-Length": str(length)}, b"")

    def _complete(self, key: str, sizes: dict[int, int], body: bytes) -> tuple[int, dict[str, str], bytes]:
        numbers = [int(number) for number in _PART.findall(body)]
        etag = f'"{_md5(b"".join(map(_digest, numbers)))}-{len(numbers)}"'
        self.objects[key] = (sum(sizes[number] for number in numbers), b"", {"ETag": etag})
        return 200, {}, _xml("CompleteMultipartUploadResult", f"<Key>{key}</Key><ETag>{etag}</ETag>")


def _etag(number: int) -> str:
    return f'"{_digest(number).hex()}"'


def _digest(number: int) -> bytes:
    return number.to_bytes(16, "big")


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _xml(name: str, content: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><{name}>{content}</{name}>'.encode()


def _parts(sizes: dict[int, int]) -> bytes:
    entries = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{_etag(number)}</ETag><Size>{size}</Size></Part>"
        for number, size in sorted(sizes.items())
    )
    return _xml("ListPartsResult", f"<IsTruncated>false</IsTruncated>{entries}")


class _Connection(asyncio.BufferedProtocol):
    """HTTP/1.1 with Content-Length, one request after the other."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._head = b""
        self._request: _Request | None = None
        self._kept = bytearray()
        self._size = self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        at = 0
        while True:
            if self._request is None:
                self._head += self._buffer[at:nbytes]
                if _HEAD_END not in self._head:
                    return
                head, _, rest = self._head.partition(_HEAD_END)
                at, self._head = nbytes - len(rest), b""
                self._begin(head)
            assert self._request is not None
            taken = min(self._left, nbytes - at)
            if self._size <= _KEPT or self._request.method == "POST":
                self._kept += self._view[at : at + taken]
            at, self._left = at + taken, self._left - taken
            if self._left:
                return
            self._answer(self._request)
            self._request = None
            if at == nbytes:
                return

    def _begin(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        parts = urlsplit(target)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._request = _Request(method, unquote(parts.path), parse_qs(parts.query, True), headers)
        self._size = self._left = int(headers.get("content-length", 0))
        self._kept = bytearray()
        if headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _answer(self, request: _Request) -> None:
        size = int(request.headers.get("x-amz-decoded-content-length", self._size))
        status, headers, body = self._bucket.answer(request, size, bytes(self._kept))
        headers = {"Content-Length": str(len(body)), "Content-Type": "application/xml"} | headers
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._transport.write(f"HTTP/1.1 {status} -\r\n{lines}\r\n".encode() + body)


async def _serve(address: str) -> None:
    host, _, port = address.rpartition(":")
    bucket = Bucket()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(bucket), host, int(port))
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1]))
