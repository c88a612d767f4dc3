"""A request as the rules see it: its body read, its address taken apart."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl, unquote

from werkzeug.datastructures import EnvironHeaders, Headers

from mediafleet_devserver.r2.operations import Level, Operation, operation_of

if TYPE_CHECKING:
    from _typeshed.wsgi import InputStream, WSGIEnvironment


@dataclass(frozen=True)
class S3Request:
    """One request in path style: /bucket/key."""

    method: str
    path: str
    """Decoded, with its leading slash."""
    parameters: Mapping[str, str]
    """The query, decoded; a name that comes twice has its last value."""
    headers: Headers
    body: bytes
    announced: int | None
    """What Content-Length says; None without one."""

    @classmethod
    def read(cls, environ: WSGIEnvironment) -> S3Request:
        """Reads the body; whoever gets `environ` next finds it there again."""
        raw_path, _, raw_query = str(environ["RAW_URI"]).partition("?")
        announced = int(environ["CONTENT_LENGTH"]) if environ.get("CONTENT_LENGTH") else None
        stream = cast("InputStream", environ["wsgi.input"])
        chunked = environ.pop("HTTP_TRANSFER_ENCODING", "") and announced is None
        body = stream.read() if chunked else stream.read(announced or 0)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        return cls(
            method=str(environ["REQUEST_METHOD"]),
            path=unquote(raw_path),
            parameters=dict(parse_qsl(raw_query, keep_blank_values=True)),
            headers=Headers(EnvironHeaders(environ)),
            body=body,
            announced=None if chunked else announced or 0,
        )

    @cached_property
    def bucket(self) -> str:
        """ "" when the request is about no bucket."""
        return self.path.split("/", 2)[1]

    @cached_property
    def key(self) -> str:
        """ "" when the request is about no object."""
        return self.path[len(self.bucket) + 2 :]

    @cached_property
    def operation(self) -> Operation | None:
        """What is asked for; None if R2 has no such operation."""
        level: Level = "object" if self.key else "bucket" if self.bucket else "service"
        return operation_of(level, self.method, self.parameters, copies="x-amz-copy-source" in self.headers)
