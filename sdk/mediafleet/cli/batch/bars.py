"""One live picture of a batch on stderr: both legs, counts by state, rate, time left and members at work."""

from __future__ import annotations

from datetime import timedelta
from types import TracebackType
from typing import NamedTuple, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mediafleet.batches import batch_state_name
from mediafleet.cli.output import COLOURS
from mediafleet.cli.text import counted, plain, size
from mediafleet.v1.batches_pb2 import Batch, BatchCounts, BatchState, RunningItem

COUNTED = ("receiving", "queued", "processing", "cancelling", "succeeded", "failed", "cancelled", "expired")
"""Fields of BatchCounts."""

MOST_ITEMS = 10
"""Members at work that are shown."""


class Leg(NamedTuple):
    """How far the files are brought: how many, and their bytes, of all; `verb` says in a word how."""

    files: int
    files_total: int
    bytes: int
    bytes_total: int
    verb: str = "sent"


class BatchBars:
    """A display of one batch; draws nothing where stderr is no terminal."""

    def __init__(self, enabled: bool = True) -> None:
        """Not `enabled` means silent everywhere."""
        console = Console(stderr=True)
        self._enabled = enabled and console.is_terminal
        self._batch = Batch()
        self._leg: Leg | None = None
        self._live = Live(console=console, transient=True, refresh_per_second=5, get_renderable=self._picture)

    def __enter__(self) -> Self:
        if self._enabled:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._enabled:
            self._live.stop()

    def sent(self, leg: Leg) -> None:
        """This process has sent so much."""
        self._leg = leg

    def show(self, batch: Batch) -> None:
        """The batch is so far."""
        self._batch = batch

    def _picture(self) -> RenderableType:
        return picture(self._batch, self._leg)


def picture(batch: Batch, leg: Leg | None) -> RenderableType:
    """The bars and lines; without a `leg` the receiving is told as the gateway knows it."""
    progress = batch.progress
    counts = progress.counts
    total = max(counts.total, batch.expected_items) if batch.state == BatchState.BATCH_STATE_OPEN else counts.total
    bars = Table.grid(padding=(0, 2, 0, 0), expand=True)
    for ratio in (None, 1, None, None):
        bars.add_column(ratio=ratio, no_wrap=True)
    if leg is not None:
        sent = f"{leg.files} / {counted(leg.files_total, 'file')}"
        bars.add_row(leg.verb, _bar(leg.bytes, leg.bytes_total), sent, f"{size(leg.bytes)} / {size(leg.bytes_total)}")
    else:
        received = f"{size(progress.bytes_done)} / {size(progress.bytes_total)}"
        bars.add_row("received", _bar(progress.bytes_done, progress.bytes_total), "", received)
    bars.add_row("work", _bar(progress.percent, 100.0), f"{ended(counts)} / {counted(total, 'file')}", pace(batch))
    state = batch_state_name(batch.state)
    lines = [Text(f"{state}  {in_words(counts)}", COLOURS.get(state, ""), overflow="ellipsis", no_wrap=True)]
    lines += [_line(item) for item in progress.running_items[:MOST_ITEMS]]
    return Group(bars, *lines)


def ended(counts: BatchCounts) -> int:
    """Members in a terminal state."""
    return counts.succeeded + counts.failed + counts.cancelled + counts.expired


def in_words(counts: BatchCounts) -> str:
    """Members by state, those that there are."""
    numbers = ((name, getattr(counts, name)) for name in COUNTED)
    return ", ".join(f"{number} {name}" for name, number in numbers if number)


def pace(batch: Batch) -> str:
    """Files per second, and the time left, as far as they are known."""
    words = []
    if batch.progress.items_per_second:
        words.append(f"{batch.progress.items_per_second:.1f}/s")
    if batch.progress.HasField("eta"):
        words.append(f"{timedelta(seconds=round(batch.progress.eta.ToTimedelta().total_seconds()))} left")
    return ", ".join(words)


def _bar(done: float, total: float) -> ProgressBar:
    return ProgressBar(total=total or 1, completed=done, complete_style="cyan", finished_style="green")


def _line(item: RunningItem) -> Text:
    progress = item.progress
    doing = plain(" ".join(filter(None, (progress.stage, progress.step))))
    name = plain(item.path or item.display_name)
    return Text(f"  {progress.percent:3.0f} %  {name}  {doing}", overflow="ellipsis", no_wrap=True)
