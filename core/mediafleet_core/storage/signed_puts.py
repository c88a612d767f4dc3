"""Bodies that travel on signed URLs: boto3 signs, and the chunks go to the socket as they are.

Sent by boto3 itself, a GiB costs nearly twice the CPU. The connections are those that boto3 uses, with its proxies, its
certificates and its errors, so `s3_errors` reads both.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from botocore.parsers import ResponseParserError  # type: ignore[attr-defined,unused-ignore]
from botocore.utils import get_environ_proxies

from mediafleet_core.ports import Chunks
from mediafleet_core.storage.settings import StorageSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_TIMEOUT = 5.0
"""Seconds; also what one step of sending may take, so steps are small."""

_STEP = 256 << 10
_LIFETIME = 900
"""Seconds; every attempt signs anew."""

_CODE = re.compile(rb"<Code>(\w{1,64})</Code>")
_HEADERS = {"ContentType": "content-type", "ChecksumCRC32C": "x-amz-checksum-crc32c", "ContentMD5": "content-md5"}
_SOCKET = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1))

# Their stubs know less than they take.
_Session: Any = URLLib3Session
_Request: Any = AWSPreparedRequest

Operation = Literal["put_object", "upload_part"]


class SignedPuts:
    """Sends bodies through kept connections, one for each thread that does."""

    def __init__(self, client: S3Client, settings: StorageSettings) -> None:
        """`client` only signs."""
        self._client = client
        self._session = _Session(
            verify=str(settings.storage_ca_file) if settings.storage_ca_file else True,
            proxies=get_environ_proxies(settings.endpoint_url),
            timeout=(CONNECT_TIMEOUT, settings.storage_timeout.total_seconds()),
            max_pool_connections=settings.storage_connections,
            socket_options=list(_SOCKET),
        )

    def send(self, operation: Operation, params: Mapping[str, Any], body: Chunks) -> dict[str, str]:
        """Blocks until it is stored; `params` as boto3 takes them, without `Body`. Raises one of `s3_errors.FAILURES`.

        The digest and the metadata among `params` are under the signature: the URL takes no other body.
        """
        url = self._client.generate_presigned_url(operation, Params=dict(params), ExpiresIn=_LIFETIME)
        headers = {header: params[name] for name, header in _HEADERS.items() if name in params}
        headers |= {f"x-amz-meta-{name}": value for name, value in params.get("Metadata", {}).items()}
        headers["content-length"] = str(sum(memoryview(chunk).nbytes for chunk in body))
        request = _Request("PUT", url, HeadersDict(headers), _steps(body), stream_output=False)
        answer = self._session.send(request)
        if answer.status_code != 200:
            code = _CODE.search(answer.content)
            error = {"Code": code[1].decode() if code else str(answer.status_code)}
            said: Any = {"Error": error, "ResponseMetadata": {"HTTPStatusCode": answer.status_code}}
            raise ClientError(said, operation)
        if "etag" not in answer.headers:
            raise ResponseParserError("no ETag")
        return {"ETag": answer.headers["etag"]}

    def close(self) -> None:
        """Close idle connections."""
        self._session.close()


def _steps(body: Iterable[bytes | memoryview]) -> Iterator[memoryview]:
    for chunk in body:
        view = memoryview(chunk)
        for start in range(0, view.nbytes, _STEP):
            yield view[start : start + _STEP]
