"""What other systems are told of an end: the CloudEvents envelope and the signature of Standard Webhooks. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from mediafleet_core.batches import Batch, BatchState
from mediafleet_core.failures import Failure
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import WebhookMessage
from mediafleet_core.uploads import Checksums, MediaInfo, State, Upload

CONTENT_TYPE = "application/cloudevents+json"

SECRET_PREFIX = "whsec_"
_SECRET_BYTES = range(24, 65)


class FailureData(msgspec.Struct, frozen=True, kw_only=True):
    """Why an upload did not succeed, as in the contract's `Failure`."""

    code: str
    stage: str
    retryable: bool
    message: str
    next_step: str
    detail: str


class RenditionData(msgspec.Struct, frozen=True, kw_only=True):
    """One derived object; its URL is signed on demand (CreateDownloadUrl)."""

    name: str
    content_type: str
    size_bytes: int
    sha256: str
    width: int
    height: int


class UploadData(msgspec.Struct, frozen=True, kw_only=True):
    """`data` of a message about an upload; names and meaning are those of the contract's `Upload`."""

    upload_id: str
    tenant: str
    batch_id: str
    collection: str
    display_name: str
    kind: MediaKind
    content_type: str
    state: State
    size_bytes: int | None
    checksums: Checksums
    caption: str
    labels: dict[str, str]
    series: int
    attempt: int
    failure: FailureData | None
    renditions: tuple[RenditionData, ...]
    media_info: MediaInfo | None
    create_time: datetime
    start_time: datetime | None
    finish_time: datetime | None
    revision: int


class BatchData(msgspec.Struct, frozen=True, kw_only=True):
    """`data` of a message about a batch; `counts` has its members by state in lower case, and their `total`."""

    batch_id: str
    tenant: str
    display_name: str
    collection: str
    labels: dict[str, str]
    state: BatchState
    counts: dict[str, int]
    bytes_total: int
    create_time: datetime
    seal_time: datetime | None
    finish_time: datetime | None
    revision: int


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """CloudEvents 1.0, structured JSON. `sequence` is an extension: it rises with each later end of a subject."""

    specversion: str = "1.0"
    id: str
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: str = "application/json"
    sequence: str
    data: UploadData | BatchData


def body(message: WebhookMessage) -> bytes:
    """The message as JSON: the same bytes whenever it is sent."""
    subject = message.subject
    kind, subject_id = ("uploads", subject.upload_id) if isinstance(subject, Upload) else ("batches", subject.batch_id)
    envelope = Envelope(
        id=message.message_id,
        source=f"/mediafleet/{message.tenant}",
        type=message.type,
        subject=f"{kind}/{subject_id}",
        time=message.time,
        sequence=f"{message.sequence:08}",
        data=_upload(subject) if isinstance(subject, Upload) else _batch(subject),
    )
    return msgspec.json.encode(envelope)


def headers(message: WebhookMessage, content: bytes, now: datetime, secrets: Sequence[bytes]) -> Mapping[str, str]:
    """Headers of a message with this body, sent now; a signature for each secret, so that one can replace another."""
    at = str(int(now.timestamp()))
    signed = b".".join([message.message_id.encode(), at.encode(), content])
    digests = [hmac.digest(secret, signed, hashlib.sha256) for secret in secrets]
    return {
        "content-type": CONTENT_TYPE,
        "webhook-id": message.message_id,
        "webhook-timestamp": at,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests),
    }


def secret_bytes(text: str) -> bytes:
    """The key behind `whsec_...`. Raises ValueError, which does not tell the secret."""
    try:
        if not text.startswith(SECRET_PREFIX):
            raise ValueError
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"must be {SECRET_PREFIX} and base64") from None
    if len(secret) not in _SECRET_BYTES:
        raise ValueError(f"must stand for {_SECRET_BYTES.start} to {_SECRET_BYTES.stop - 1} bytes")
    return secret


def _upload(upload: Upload) -> UploadData:
    spec = upload.spec
    return UploadData(
        upload_id=upload.upload_id,
        tenant=upload.tenant,
        batch_id=spec.batch_id or "",
        collection=spec.collection,
        display_name=spec.display_name,
        kind=upload.kind,
        content_type=upload.content_type,
        state=upload.state,
        size_bytes=upload.size_bytes,
        checksums=upload.checksums,
        caption=upload.caption,
        labels=upload.labels,
        series=upload.progress.series,
        attempt=upload.attempt,
        failure=_failure(upload.failure, stored=bool(upload.original_key)),
        renditions=tuple(msgspec.convert(each, RenditionData, from_attributes=True) for each in upload.renditions),
        media_info=upload.media_info,
        create_time=upload.create_time,
        start_time=upload.start_time,
        finish_time=upload.finish_time,
        revision=upload.revision,
    )


def _failure(failure: Failure | None, *, stored: bool) -> FailureData | None:
    if failure is None:
        return None
    return FailureData(
        code=failure.code,
        stage=failure.stage,
        retryable=failure.rule.retryable,
        message=failure.rule.message,
        next_step=failure.next_step(stored=stored),
        detail=failure.detail,
    )


def _batch(batch: Batch) -> BatchData:
    return BatchData(
        batch_id=batch.batch_id,
        tenant=batch.tenant,
        display_name=batch.spec.display_name,
        collection=batch.spec.collection,
        labels=batch.spec.labels,
        state=batch.state,
        counts={"total": batch.total} | {state.lower(): count for state, count in batch.counts.items()},
        bytes_total=batch.bytes_total,
        create_time=batch.create_time,
        seal_time=batch.seal_time,
        finish_time=batch.finish_time,
        revision=batch.revision,
    )
