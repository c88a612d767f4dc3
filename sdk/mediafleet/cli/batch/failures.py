"""Failures of a batch grouped by their code: how many, which for example, and what to do."""

from __future__ import annotations

from mediafleet.cli.failures import Refusal, explained, refusal
from mediafleet.cli.output import grid, show
from mediafleet.cli.text import plain
from mediafleet.errors import MediafleetError
from mediafleet.v1.batches_pb2 import BatchReportRow
from mediafleet.v1.uploads_pb2 import UploadState

EXAMPLES = 3
"""Names that stand for their group."""


class Group:
    """Files that failed for one reason, of which only some names are kept."""

    def __init__(self, said: str) -> None:
        """`said` is what happened and what to do."""
        self.said = said
        self.files = 0
        self.examples: list[str] = []

    def add(self, name: str) -> None:
        """One more."""
        self.files += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(name)


class Failures:
    """Counts them by code, in little memory however many there are."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}

    def __bool__(self) -> bool:
        return bool(self._groups)

    def refused(self, name: str, error: Refusal) -> None:
        """A file was not taken at all."""
        told = refusal(error)
        code, said = told["reason"] or told["code"], told["message"]
        if isinstance(error, MediafleetError):
            said = explained(error).removeprefix(f"{code}: ")
        self._add(code, said, name)

    def member(self, row: BatchReportRow) -> None:
        """A member as it ended."""
        if row.state == UploadState.UPLOAD_STATE_SUCCEEDED:
            return
        failure = row.failure
        said = " ".join(filter(None, (failure.message, failure.next_step)))
        code = failure.code or UploadState.Name(row.state).removeprefix("UPLOAD_STATE_")
        self._add(code, said, row.path or row.display_name)

    def _add(self, code: str, said: str, name: str) -> None:
        self._groups.setdefault(code, Group(said)).add(name)

    def show(self) -> None:
        """Prints the table on stdout, the largest group first; nothing if there is none."""
        if not self._groups:
            return
        table = grid("failure", "files", "name", "result")
        for code, group in sorted(self._groups.items(), key=lambda item: (-item[1].files, item[0])):
            names = ", ".join(map(plain, group.examples)) + (", ..." if group.files > len(group.examples) else "")
            table.add_row(plain(code), str(group.files), names, plain(group.said))
        show(table)
