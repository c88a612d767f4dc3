"""Bodies that travel on signed URLs: aiohttp sends the chunks as they are, on the event loop.

boto3's own client would take a thread and three to eight times the CPU for the same request.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from botocore.exceptions import ClientError
from botocore.httpsession import ProxyConfiguration, get_cert_path
from botocore.parsers import ResponseParserError  # type: ignore[attr-defined,unused-ignore]
from botocore.utils import get_environ_proxies
from yarl import URL

from mediafleet_core.ports import Chunks
from mediafleet_core.storage.settings import StorageSettings
from mediafleet_core.storage.sigv4 import Signer

CONNECT_TIMEOUT = 5.0
"""Seconds."""

_STEP = 1 << 20
"""Bytes that go to the socket at once, and for which it must find room within the storage's time-out."""

_LIFETIME = 900
"""Seconds; every attempt signs anew."""

_LONGEST_ERROR = 64 << 10
_CODE = re.compile(rb"<Code>(\w{1,64})</Code>")
_UNSIGNED = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")

Operation = Literal["PutObject", "UploadPart"]


class SignedPuts:
    """Sends bodies over kept connections."""

    def __init__(self, settings: StorageSettings) -> None:
        """Connects at the first body; belongs to the event loop that runs then."""
        self._settings = settings
        self._signer = Signer(
            settings.endpoint_url,
            settings.r2_region,
            settings.r2_access_key_id,
            settings.r2_secret_access_key.get_secret_value(),
        )
        self._silence = settings.storage_timeout.total_seconds()
        proxies = ProxyConfiguration(get_environ_proxies(settings.endpoint_url))
        self._proxy = proxies.proxy_url_for(settings.endpoint_url)
        self._session: aiohttp.ClientSession | None = None
        self._places = asyncio.Semaphore(settings.storage_connections)

    async def send(
        self,
        operation: Operation,
        key: str,
        body: Chunks,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None = None,
    ) -> str:
        """The ETag, once it is stored. Raises one of `s3_errors.FAILURES`.

        The headers, the digest among them, are under the signature: the URL takes no other body.
        """
        if self._session is None:
            self._session = self._connect()
        if self._session.closed:
            raise aiohttp.ClientConnectionError("the store was closed")
        path = f"/{self._settings.r2_bucket_name}/{key}"
        url = URL(self._signer.put(path, query or {}, headers, datetime.now(UTC), _LIFETIME), encoded=True)
        loop = asyncio.get_running_loop()
        async with (
            self._places,  # waiting for one's turn is no silence of the storage's
            asyncio.timeout(self._silence) as patience,
            self._session.put(
                url,
                data=_Body(body, lambda: patience.reschedule(loop.time() + self._silence)),
                headers=headers,
                proxy=self._proxy,
                allow_redirects=False,
                skip_auto_headers=_UNSIGNED,
            ) as answer,
        ):
            if answer.status != 200:
                raise _error(operation, answer, await _start_of(answer.content))
            await answer.read()
            if "etag" not in answer.headers:
                raise ResponseParserError("no ETag")
            return answer.headers["etag"].strip('"')

    async def close(self) -> None:
        """Close idle connections."""
        if self._session is not None:
            await self._session.close()

    def _connect(self) -> aiohttp.ClientSession:
        authorities = str(self._settings.storage_ca_file or get_cert_path(True))
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=ssl.create_default_context(cafile=authorities)),
            # aiohttp's sock_read would count from the first byte that is sent.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )


class _Body(aiohttp.Payload):
    """Chunks with a length, which can be sent again: aiohttp does so when a kept connection turns out to be closed."""

    _autoclose = True

    def __init__(self, chunks: Chunks, moved: Callable[[], None]) -> None:
        """`moved` is called before each step and after the last one."""
        super().__init__(chunks, content_type="application/octet-stream")
        self._size = sum(memoryview(chunk).nbytes for chunk in chunks)
        self._moved = moved

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Not a text."""
        raise TypeError("a body is bytes")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send all of it."""
        if len(self._value) > 1:
            writer.send_headers()  # together with the first step it would be copied
        for step in _steps(self._value):
            self._moved()
            await writer.write(step)
        self._moved()


def _steps(chunks: Chunks) -> Iterator[bytes | memoryview]:
    for chunk in chunks:
        if len(chunk) <= _STEP:
            yield chunk
            continue
        view = memoryview(chunk)
        for start in range(0, len(view), _STEP):
            yield view[start : start + _STEP]


async def _start_of(content: aiohttp.StreamReader) -> bytes:
    # One read gives what has arrived, which may end within the code.
    text = b""
    while len(text) < _LONGEST_ERROR and (more := await content.read(_LONGEST_ERROR - len(text))):
        text += more
    return text


def _error(operation: Operation, answer: aiohttp.ClientResponse, text: bytes) -> ClientError:
    code = _CODE.search(text)
    said: Any = {
        "Error": {"Code": code[1].decode() if code else str(answer.status)},
        "ResponseMetadata": {
            "HTTPStatusCode": answer.status,
            "HTTPHeaders": {"date": answer.headers.get("date", "")},
        },
    }
    return ClientError(said, operation)
