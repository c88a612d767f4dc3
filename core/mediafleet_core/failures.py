"""Why processing failed: the closed list of codes, each with its attempts and its words for people.

The same text is shown by gRPC, CLI, console and docs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

import msgspec


class FailureCode(StrEnum):
    """Stable codes in `Failure.code`."""

    UNSUPPORTED_MEDIA = "UNSUPPORTED_MEDIA"
    CONTENT_TYPE_MISMATCH = "CONTENT_TYPE_MISMATCH"
    CORRUPT_MEDIA = "CORRUPT_MEDIA"
    TRUNCATED_MEDIA = "TRUNCATED_MEDIA"
    ENCRYPTED_DOCUMENT = "ENCRYPTED_DOCUMENT"
    PIXEL_LIMIT = "PIXEL_LIMIT"
    FRAME_LIMIT = "FRAME_LIMIT"
    PAGE_LIMIT = "PAGE_LIMIT"
    DURATION_LIMIT = "DURATION_LIMIT"
    MALWARE_FOUND = "MALWARE_FOUND"
    SCANNER_UNAVAILABLE = "SCANNER_UNAVAILABLE"
    WORKER_CRASHED = "WORKER_CRASHED"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    TIMED_OUT = "TIMED_OUT"
    STORAGE_UNAVAILABLE = "STORAGE_UNAVAILABLE"
    STORAGE_DENIED = "STORAGE_DENIED"
    STORAGE_THROTTLED = "STORAGE_THROTTLED"
    ORIGINAL_MISSING = "ORIGINAL_MISSING"
    OBJECT_CHECKSUM_MISMATCH = "OBJECT_CHECKSUM_MISMATCH"
    STORED_OBJECT_CORRUPT = "STORED_OBJECT_CORRUPT"
    LEASE_LOST_TOO_OFTEN = "LEASE_LOST_TOO_OFTEN"
    ENRICHMENT_FAILED = "ENRICHMENT_FAILED"
    ENRICHMENT_RATE_LIMITED = "ENRICHMENT_RATE_LIMITED"
    ATTEMPTS_EXHAUSTED = "ATTEMPTS_EXHAUSTED"
    CANCELLED_BY_CALLER = "CANCELLED_BY_CALLER"
    EXPIRED_BEFORE_FINISH = "EXPIRED_BEFORE_FINISH"
    INTERNAL = "INTERNAL"


class FailureRule(NamedTuple):
    """What a code means for people, and how many attempts the work gets before it is final (1 = no retry).

    `unstored_step` is the next step where no original is stored, if that makes it another one. `retryable`: whether
    trying the same bytes again can help, at once or when something is mended here; else only another upload does.
    """

    message: str
    next_step: str
    attempts: int = 1
    unstored_step: str = ""
    retryable: bool = True


_CHECK_FILE = "Open the file in its own program, export it again and upload the new file."
_SMALLER = "Upload a smaller version, or ask an operator to raise the limit."
_OPERATOR = "Show the upload's id to an operator."
_AGAIN = "Upload the file again."


def _passing(message: str, attempts: int = 1) -> FailureRule:
    """The rule of what may be gone by the next time."""
    again = "; if it fails again, show its id to an operator."
    return FailureRule(message, f"Retry the upload{again}", attempts, unstored_step=f"Upload the file again{again}")


def _of_the_file(message: str, next_step: str, attempts: int = 1) -> FailureRule:
    """The rule of what no retry of the same bytes mends."""
    return FailureRule(message, next_step, attempts, retryable=False)


RULES: Mapping[FailureCode, FailureRule] = MappingProxyType(
    {
        FailureCode.UNSUPPORTED_MEDIA: _of_the_file(
            "This format is recognised but not supported.", "Convert the file to a supported format and upload it."
        ),
        FailureCode.CONTENT_TYPE_MISMATCH: _of_the_file(
            "The content is not what its declared type or file name says.",
            "Declare the right content type, or choose the right file, and upload it again.",
        ),
        FailureCode.CORRUPT_MEDIA: _of_the_file("The file is damaged and cannot be decoded.", _CHECK_FILE),
        FailureCode.TRUNCATED_MEDIA: _of_the_file("The file ends too early: a part of it is missing.", _CHECK_FILE),
        FailureCode.ENCRYPTED_DOCUMENT: _of_the_file(
            "The document is protected by a password.", "Remove the protection and upload it again."
        ),
        FailureCode.PIXEL_LIMIT: FailureRule("The picture has more pixels than allowed.", _SMALLER),
        FailureCode.FRAME_LIMIT: FailureRule("The file has more frames than allowed.", _SMALLER),
        FailureCode.PAGE_LIMIT: FailureRule("The document has more pages than allowed.", _SMALLER),
        FailureCode.DURATION_LIMIT: FailureRule("The recording is longer than allowed.", _SMALLER),
        FailureCode.MALWARE_FOUND: _of_the_file(
            "The virus scanner found malware in the file.", "Do not open the file; scan the computer it came from."
        ),
        FailureCode.SCANNER_UNAVAILABLE: _passing("The virus scanner could not be reached.", 3),
        FailureCode.WORKER_CRASHED: FailureRule("The decoder crashed on this file.", _OPERATOR, 2),
        FailureCode.OUT_OF_MEMORY: FailureRule("Decoding this file needs more memory than allowed.", _SMALLER, 2),
        FailureCode.TIMED_OUT: FailureRule("Processing this file took longer than allowed.", _OPERATOR, 2),
        FailureCode.STORAGE_UNAVAILABLE: _passing("The object storage could not be reached.", 3),
        FailureCode.STORAGE_DENIED: FailureRule(
            "The object storage refused access.", "Ask an operator to check the storage credentials and their rights."
        ),
        FailureCode.STORAGE_THROTTLED: _passing("The object storage asked to slow down.", 3),
        FailureCode.ORIGINAL_MISSING: _of_the_file("The stored original is gone.", _AGAIN),
        FailureCode.OBJECT_CHECKSUM_MISMATCH: _of_the_file(
            "The received bytes do not match the checksum that was declared.", _AGAIN
        ),
        FailureCode.STORED_OBJECT_CORRUPT: _of_the_file(
            "The bytes read from storage are not the bytes that were stored.", _AGAIN, 2
        ),
        FailureCode.LEASE_LOST_TOO_OFTEN: FailureRule(
            "Workers that took this file stopped answering, again and again.", _OPERATOR
        ),
        FailureCode.ENRICHMENT_FAILED: _passing("The metadata service gave no usable answer.", 2),
        FailureCode.ENRICHMENT_RATE_LIMITED: _passing("The metadata service asked to slow down.", 2),
        FailureCode.ATTEMPTS_EXHAUSTED: _passing("Every attempt failed, each for another reason."),
        FailureCode.CANCELLED_BY_CALLER: FailureRule(
            "The upload was cancelled.",
            "Retry the upload if the cancel was a mistake.",
            unstored_step="Upload the file again if the cancel was a mistake.",
        ),
        FailureCode.EXPIRED_BEFORE_FINISH: _of_the_file(
            "The upload was not finished in time.", "Start a new upload of the file."
        ),
        FailureCode.INTERNAL: FailureRule("An unexpected error in mediafleet.", _OPERATOR, 2),
    }
)

MAX_LOST_LEASES = 5
"""Times that one series may be lost with its worker or sandbox before it fails: infrastructure does not burn attempts,
yet cannot loop for ever."""


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One failed attempt: when it ended, why, and on which worker; `evidence` for operators (signal, peak memory)."""

    time: datetime
    code: FailureCode
    worker: str
    stage: str = ""
    evidence: str = ""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why an upload is FAILED, CANCELLED or EXPIRED, or why its last attempt failed while a retry is due."""

    code: FailureCode
    stage: str = ""
    detail: str = ""
    attempts: tuple[AttemptRecord, ...] = ()

    @property
    def rule(self) -> FailureRule:
        """The words and the attempts of this code."""
        return RULES[self.code]

    def next_step(self, *, stored: bool) -> str:
        """What to do about it, for people, given whether the original is `stored`: only then a retry is possible."""
        return self.rule.next_step if stored else self.rule.unstored_step or self.rule.next_step


class ProcessingError(Exception):
    """An attempt failed with a known code; raised by pipeline steps and by the worker's own stages."""

    def __init__(self, code: FailureCode, detail: str = "", *, evidence: str = "") -> None:
        """`detail` is safe to show to the uploader; `evidence` is for operators."""
        super().__init__(f"{code}: {detail}" if detail else str(code))
        self.code = code
        self.detail = detail
        self.evidence = evidence
