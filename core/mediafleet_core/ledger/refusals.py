"""What a script's refusal is called towards callers."""

from __future__ import annotations

import msgspec

from mediafleet_core.errors import MediafleetError, QuotaViolation, Reason, upload_not_found
from mediafleet_core.ledger.connection import Reply

_TEXTS = {
    Reason.REQUEST_ID_REUSED: "this request id was used before with other arguments",
    Reason.BATCH_NOT_FOUND: "no such batch",
    Reason.BATCH_SEALED: "the batch takes no more uploads",
    Reason.BATCH_NOT_FINISHED: "the batch is being cancelled; try again when that is over",
    Reason.UPLOAD_EXPIRED: "the upload was not finished in time and has expired",
    Reason.UPLOAD_CANCELLED: "the upload was cancelled",
    Reason.ORIGINAL_MISSING: "no original is stored; upload the file again",
}

_WAYS = {"STREAM": "WriteUpload", "DIRECT": "SignUploadParts", "IMPORT": "ImportUpload"}


def check(reply: Reply, upload_id: str = "") -> Reply:
    """The reply, if it is OK; otherwise raise what it refuses."""
    if reply.status == "OK":
        return reply
    reason = Reason(reply.status)
    if reason is Reason.UPLOAD_NOT_FOUND:
        raise upload_not_found(upload_id)
    if reason is Reason.QUOTA_EXCEEDED:
        raise _quota(reply.detail)
    if reason is Reason.CONCURRENT_WRITER:
        raise MediafleetError(
            reason, "another writer has taken over this upload", metadata={"committedSize": reply.detail}
        )
    if reason is Reason.WRITE_OFFSET_AHEAD:
        raise MediafleetError(
            reason,
            f"the offset is ahead of the {reply.detail} bytes that are committed",
            metadata={"committedSize": reply.detail},
        )
    if reason is Reason.UPLOAD_TERMINAL:
        raise MediafleetError(reason, f"the upload is {reply.detail}", metadata={"state": reply.detail})
    if reason is Reason.BATCH_TERMINAL:
        raise MediafleetError(reason, f"the batch is {reply.detail}", metadata={"state": reply.detail})
    if reason is Reason.TRANSFER_MISMATCH:
        raise MediafleetError(
            reason, f"the bytes of this upload come by {_WAYS[reply.detail]}", metadata={"transfer": reply.detail}
        )
    if reason is Reason.UPLOAD_NOT_FINISHED:
        raise MediafleetError(
            reason,
            f"the upload is {reply.detail}; only a failed or cancelled one can be retried",
            metadata={"state": reply.detail},
        )
    raise MediafleetError(reason, _TEXTS.get(reason, "the ledger refused the step"))


def _quota(detail: str) -> MediafleetError:
    quota_id, limit, used = msgspec.json.decode(detail, type=tuple[str, str, str])
    text = f"{used} of {limit} bytes are used or reserved"
    return MediafleetError(
        Reason.QUOTA_EXCEEDED,
        f"the quota {quota_id} would be exceeded: {text}",
        metadata={"quotaId": quota_id, "limit": limit, "used": used},
        quotas=[QuotaViolation(quota_id, text)],
    )
