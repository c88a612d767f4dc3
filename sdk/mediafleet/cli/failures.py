"""Failures in words: what happened and what to do about it, on one line of stderr."""

from __future__ import annotations

from typing import TypeAlias

import click

from mediafleet.cli.text import plain
from mediafleet.errors import MediafleetError
from mediafleet.sources import FileChanged
from mediafleet.v1.uploads_pb2 import Upload

Refusal: TypeAlias = MediafleetError | OSError | FileChanged
"""Why a file was not taken."""

NEXT_STEPS = {
    "TOKEN_MISSING": "pass --token or set MEDIAFLEET_TOKEN",
    "TOKEN_INVALID": "check the token, and that it was made for this gateway",
    "TOKEN_EXPIRED": "get a new token",
    "SCOPE_MISSING": "ask for a token with that scope",
    "UPLOAD_NOT_FOUND": "`mediafleet list` shows the uploads there are",
    "UPLOAD_EXPIRED": "upload the file again",
    "UPLOAD_TERMINAL": "`mediafleet status` shows how it ended",
    "UPLOAD_NOT_FINISHED": "`mediafleet status` shows its state",
    "BATCH_NOT_FOUND": "`mediafleet batch list` shows the batches there are",
    "BATCH_SEALED": "make another batch",
    "BATCH_TERMINAL": "`mediafleet batch show` shows how it ended",
    "BATCH_NOT_FINISHED": "`mediafleet batch watch` follows it to its end",
    "RENDITION_NOT_FOUND": "`mediafleet status` names the renditions",
    "SOURCE_NOT_FOUND": "look for it below imports/ in the bucket",
    "SOURCE_CHANGED": "run the command again, which takes it as it is now",
    "QUOTA_EXCEEDED": "delete what is no longer needed, or ask for more; `mediafleet usage` shows what is stored",
    "CONCURRENT_WRITER": "let the other client finish",
    "REQUEST_ID_REUSED": "use another request id for other content",
    "LEDGER_UNAVAILABLE": "an operator finds out more with `mediafleet doctor`",
    "STORAGE_UNAVAILABLE": "an operator finds out more with `mediafleet doctor`",
    "STORAGE_DENIED": "an operator finds out more with `mediafleet doctor`",
    "DIRECT_UNAVAILABLE": "--transfer auto streams where it has to",
    "STORAGE_DISABLED": "ask the operator to switch it on",
    "NOT_IMPLEMENTED": "use a gateway that offers it",
}
"""By reason of the error."""

NEXT_STEPS_BY_CODE = {
    "UNAVAILABLE": "check the endpoint, and that the gateway runs",
    "DEADLINE_EXCEEDED": "try again; --timeout gives it longer",
    "INTERNAL": "try again, and tell the operator if it stays",
}
"""By status, for reasons that have no step of their own."""


NEXT_STEPS_BY_FIELD = {
    "upload_id": "`mediafleet list` shows the ids there are",
    "batch_id": "`mediafleet batch list` shows the ids there are",
    "failure_codes": "`mediafleet list --state failed` shows the codes there are",
}
"""By the last part of the name of a field that is wrong."""


class Failure(click.ClickException):
    """Ends the command with exit code 1 and one line."""

    exit_code = 1

    def show(self, file: object = None) -> None:
        """Prints the line on stderr."""
        click.echo(f"mediafleet: {self.format_message()}", err=True)


def explained(error: MediafleetError) -> str:
    """Reason, message and next step, on one line."""
    step = NEXT_STEPS.get(error.reason) or NEXT_STEPS_BY_CODE.get(error.code.name, "")
    for violation in error.violations:
        step = NEXT_STEPS_BY_FIELD.get(violation.field.rpartition(".")[2], step)
    message = f"{error.reason or error.code.name}: {plain(error.message)}"
    return f"{message}; {step}" if step else message


def failure_of(error: Exception) -> Failure | None:
    """How to end the command; None for a fault of this program."""
    if isinstance(error, MediafleetError):
        return Failure(explained(error))
    if isinstance(error, OSError):
        return Failure(f"{plain(str(error.filename or ''))}: {error.strerror or 'cannot be read'}".removeprefix(": "))
    if isinstance(error, FileChanged):
        return Failure(plain(str(error)))
    if isinstance(error, UnicodeEncodeError):
        return Failure(f"{plain(error.object)} is no text: its bytes are not UTF-8")
    return None


def refusal(error: Refusal) -> dict[str, str]:
    """Why a file was not taken: `code` of gRPC, if a gateway said so, a stable `reason` and a `message`."""
    if isinstance(error, MediafleetError):
        return {"code": error.code.name, "reason": error.reason, "message": error.message}
    if isinstance(error, FileChanged):
        return {"code": "", "reason": "FILE_CHANGED", "message": str(error)}
    return {"code": "", "reason": "FILE_UNREADABLE", "message": error.strerror or "cannot be read"}


def why(upload: Upload) -> str:
    """Why an upload did not succeed and what to do, in the gateway's words; empty if nothing failed."""
    if not upload.HasField("failure"):
        return ""
    failure = upload.failure
    said = " ".join(filter(None, (failure.message, failure.detail, failure.next_step)))
    return plain(": ".join(filter(None, (failure.code, said))))
