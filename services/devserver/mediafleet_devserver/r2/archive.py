"""Objects beside moto's memory, so that a server started again has them. Unfinished multiparts are not kept."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from mediafleet_devserver.r2.contents import STATE, backend
from mediafleet_devserver.r2.operations import Operation
from mediafleet_devserver.r2.request import S3Request
from mediafleet_devserver.r2.rules.write_rate import WRITES

_CHANGES = WRITES | {Operation.DELETE_OBJECT}
_TURNS = 64
"""Files that may be written at once."""


class Archive:
    """A file for each object of one bucket: a line of JSON, then the content."""

    def __init__(self, folder: Path, bucket: str) -> None:
        """Makes the folder if need be."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._bucket = bucket
        self._turns = [threading.Lock() for _ in range(_TURNS)]

    def restore(self) -> None:
        """Put every kept object into the bucket."""
        for path in self._folder.glob("*.object"):
            with path.open("rb") as file:
                about = json.loads(file.readline())
                stored = backend().put_object(
                    self._bucket, about["key"], file.read(), etag=about["etag"], disable_notification=True
                )
            stored.set_metadata(about["metadata"], replace=True)
            stored.last_modified = datetime.fromisoformat(about["modified"])

    def follow(self, request: S3Request) -> None:
        """Have on disk what is in memory of the objects that the request changed; durable when it returns."""
        if request.bucket != self._bucket:
            return
        if request.operation in _CHANGES:
            self._keep(request.key)
        elif request.operation is Operation.DELETE_OBJECTS:
            for key in ElementTree.fromstring(request.body).iterfind("{*}Object/{*}Key"):
                self._keep(key.text or "")

    def _keep(self, key: str) -> None:
        # Requests for one key may come here in another order than to moto: each keeps what moto has by now.
        with self._turns[hash(key) % _TURNS]:
            self._write(key)

    def _write(self, key: str) -> None:
        path = self._path(key)
        with STATE:
            stored = backend().get_object(self._bucket, key)
            if stored is None:
                path.unlink(missing_ok=True)
                return
            about = {
                "key": key,
                "etag": stored.etag.strip('"'),
                "modified": stored.last_modified.isoformat(),
                "metadata": dict(stored.metadata),
            }
            content = stored.value
        temporary = path.with_suffix(".new")
        with temporary.open("wb") as file:
            file.write(json.dumps(about).encode() + b"\n")
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}.object"
