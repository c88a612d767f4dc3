"""Live bars on stderr, two for each file: bytes sent, and the whole way with the work of the fleet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress_bar import ProgressBar
from rich.table import Column

from mediafleet.cli.output import COLOURS, setback
from mediafleet.cli.text import plain, size
from mediafleet.progress import UploadProgress

MOST_ROWS = 12
"""Files shown at a time; those that are done give way."""


class _Leg(ProgressColumn):
    def __init__(self, caption: str) -> None:
        super().__init__(Column(ratio=1, min_width=8, max_width=24))
        self._caption = caption

    def render(self, task: Task) -> RenderableType:
        done, total = task.fields[self._caption]
        colour = COLOURS.get(task.fields["state"], "cyan")
        return ProgressBar(total=total, completed=done, complete_style="cyan", finished_style=colour)


class Bars:
    """A display of uploads; draws nothing where stderr is no terminal."""

    def __init__(self, enabled: bool = True) -> None:
        """Not `enabled` means silent everywhere."""
        self._rows: dict[str, TaskID] = {}
        console = Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, max_width=28)),
            TextColumn("sent", style="dim"),
            _Leg("sent"),
            TextColumn("{task.fields[bytes]}", justify="right", table_column=Column(no_wrap=True)),
            TextColumn("work", style="dim"),
            _Leg("work"),
            TextColumn("{task.fields[percent]:3.0f} %"),
            TextColumn("{task.fields[doing]}", markup=False, table_column=Column(ratio=1, no_wrap=True, min_width=10)),
            console=console,
            transient=True,
            expand=True,
            disable=not (enabled and console.is_terminal),
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def show(self, key: str, name: str, progress: UploadProgress) -> None:
        """Draws the row of one upload, `key` telling it from the others."""
        fields: dict[str, Any] = {
            "sent": (progress.bytes_sent, progress.bytes_total or 1) if progress.bytes_total else (1, 1),
            "work": (progress.percent, 100),
            "bytes": f"{size(progress.bytes_sent)} / {size(progress.bytes_total)}",
            "percent": progress.percent,
            "state": progress.state,
            "doing": _doing(progress),
        }
        if key not in self._rows:
            self._make_room()
            self._rows[key] = self._progress.add_task(plain(name), total=100, **fields)
        self._progress.update(self._rows[key], completed=progress.percent, **fields)

    def _make_room(self) -> None:
        finished = [task.id for task in self._progress.tasks if task.finished]
        if len(self._progress.tasks) >= MOST_ROWS and finished:
            self._progress.remove_task(finished[0])


@contextmanager
def counting(caption: str, total: int, enabled: bool = True) -> Iterator[Callable[[], None]]:
    """One bar that counts to `total`; what it gives is to be called for each."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not (enabled and console.is_terminal)) as progress:
        task = progress.add_task(caption, total=total)
        yield lambda: progress.advance(task)


def _doing(progress: UploadProgress) -> str:
    upload = progress.upload
    if upload.HasField("next_attempt_time"):
        return f"{setback(upload)}, waits"
    if progress.percent >= 100:
        return progress.state
    words = [progress.stage or "sending", upload.progress.step]
    if upload.attempt > 1:
        words.append(f"(attempt {upload.attempt} of {upload.max_attempts})")
    if upload.progress.HasField("eta"):
        words.append(f"{upload.progress.eta.ToTimedelta().total_seconds():.0f} s left")
    return plain(" ".join(filter(None, words)))
