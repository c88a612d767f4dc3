"""The storage's errors, in words that may be shown; `metadata["cause"]` says what kind of trouble it was."""

from __future__ import annotations

from mediafleet_core.errors import MediafleetError, Reason


def missing(key: str) -> MediafleetError:
    """No such object, or no such multipart."""
    return MediafleetError(Reason.ORIGINAL_MISSING, "no such object in storage", metadata={"key": key})


def denied(message: str) -> MediafleetError:
    """An operator has to change credentials, rights or configuration."""
    return MediafleetError(Reason.STORAGE_DENIED, message)


def disabled(by: str) -> MediafleetError:
    """There is no storage, and that is meant; `by` is the setting that says so."""
    return MediafleetError(
        Reason.STORAGE_DISABLED,
        f"the object storage is switched off by {by}: nothing is stored or fetched until an operator changes that",
    )


def unavailable(cause: str, message: str) -> MediafleetError:
    """Worth another try; `cause` is throttled, timeout, network or server_error."""
    return MediafleetError(
        Reason.STORAGE_UNAVAILABLE, message, metadata={"cause": cause}, retry_after=5.0 if cause == "throttled" else 1.0
    )


def corrupt(key: str) -> MediafleetError:
    """The bytes are not those of their checksum."""
    return MediafleetError(Reason.STORED_OBJECT_CORRUPT, "the bytes do not match their checksum", metadata={"key": key})


def parts_differ(key: str) -> MediafleetError:
    """A part is missing, or is not the one that was named."""
    return MediafleetError(
        Reason.PART_MISMATCH, "the storage does not hold the parts as they were named", metadata={"key": key}
    )


def changed(key: str) -> MediafleetError:
    """The object is not the one that was told of."""
    return MediafleetError(
        Reason.SOURCE_CHANGED, "the object has changed since it was looked at", metadata={"key": key}
    )


def cannot_sign() -> MediafleetError:
    """Bytes have to go through the gateway."""
    return MediafleetError(
        Reason.DIRECT_UNAVAILABLE, "this storage takes no direct uploads; use TRANSFER_STREAM and WriteUpload"
    )


def refused(code: str) -> MediafleetError:
    """A request that can never succeed: a defect on our side. `code` is S3's."""
    return MediafleetError(Reason.INTERNAL, f"the storage refused the request ({code})", metadata={"cause": "refused"})
