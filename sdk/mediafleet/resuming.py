"""Uploads that a later process goes on with: the same file and arguments name the same upload."""

from __future__ import annotations

import asyncio
import os
import platform
import uuid
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

from mediafleet.errors import MediafleetError
from mediafleet.gateways import Gateways
from mediafleet.progress import Report
from mediafleet.sending import send
from mediafleet.sources import Source
from mediafleet.v1.uploads_pb2 import Upload, UploadSpec, UploadState

_NAMESPACE = uuid.UUID("8f1f5a0e-5c6b-4b0e-9d53-4f3b1c0e7a11")
_LOST = frozenset(
    {UploadState.UPLOAD_STATE_FAILED, UploadState.UPLOAD_STATE_CANCELLED, UploadState.UPLOAD_STATE_EXPIRED}
)
_LOST_IN_BATCH = frozenset({UploadState.UPLOAD_STATE_EXPIRED})
"""A batch keeps its books: what failed is its member, and comes back by a retry of the batch."""
OTHERS = frozenset({"UPLOAD_NOT_FOUND", "REQUEST_ID_REUSED"})
"""Reasons that tell of an earlier request for an upload that was deleted, or for other bytes."""


Known = Mapping[str, bytes]
"""Uploads that are there already, serialized, by the request id that made them."""

NOTHING: Known = {}


async def send_resuming(
    gateways: Gateways, path: Path, source: Source, spec: UploadSpec, report: Report, known: Known
) -> Upload:
    """Goes on with the upload that was begun for this file, answers it if it has arrived, or begins one.

    An earlier upload that failed, was cancelled, expired or was deleted, or that holds other bytes, is left alone; in a
    batch those that failed or were cancelled have arrived. Of what is `known` to have arrived no byte is read.
    """
    lost = lost_states(spec.batch_id)
    for request_id in request_ids(path, spec):
        if request_id in known:
            upload = Upload.FromString(known[request_id])
            if upload.state in lost:
                continue
            if upload.state != UploadState.UPLOAD_STATE_RECEIVING:
                report.heard(upload)
                return upload
        try:
            upload = await send(gateways, source, spec, request_id, report)
        except MediafleetError as error:
            if error.reason in OTHERS:
                continue
            raise
        if upload.state in lost:
            continue
        if upload.checksums.sha256 in (b"", await asyncio.to_thread(source.sha256)):
            return upload
    raise AssertionError("request ids never end")


def lost_states(batch_id: str) -> Set[UploadState.ValueType]:
    """States of an earlier upload that is not gone on with, within this batch, or outside of any."""
    return _LOST_IN_BATCH if batch_id else _LOST


def request_ids(path: Path, spec: UploadSpec) -> Iterator[str]:
    """The names of the first, second, ... upload of this file as it is now, from this machine, to these arguments.

    The gateways' addresses are no part of it, so that an upload is resumed on any of them.
    """
    status = path.stat()
    what = [
        platform.node(),
        os.fsencode(path.resolve()).decode(errors="backslashreplace"),
        str(status.st_size),
        str(status.st_mtime_ns),
        spec.SerializeToString(deterministic=True).hex(),
    ]
    number = 0
    while True:
        yield str(uuid.uuid5(_NAMESPACE, "\0".join([*what, str(number)])))
        number += 1
