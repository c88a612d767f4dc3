"""Shown against true, moment by moment."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.accuracy.watching import Seen
from mediafleet import UploadState
from mediafleet_core.progress import RECEIVED_PERCENT

INTERVAL = 0.1
"""Seconds between two looks."""
LONG = 5.0
"""Seconds of work, or of sending, from which on the ETA counts."""
CLASSES = ((0.0, 0.5), (0.5, 1.0), (1.0, 5.0), (5.0, float("inf")))
"""Seconds of work."""
TICK = 0.5
"""Seconds by which an ETA may always be wrong: it is shown in whole ones."""

RECEIVING, PROCESSING = UploadState.UPLOAD_STATE_RECEIVING, UploadState.UPLOAD_STATE_PROCESSING


class Look(NamedTuple):
    """A moment of an upload's work: shares of 1 that were over and shown, seconds left and told (None for not)."""

    true: float
    shown: float
    left: float
    eta: float | None


class Judged(NamedTuple):
    """One upload: seconds of its work, and the looks at it."""

    name: str
    seconds: float
    looks: Sequence[Look]

    @property
    def points(self) -> float:
        """Mean difference between shown and true."""
        return statistics.fmean(100 * abs(look.shown - look.true) for look in self.looks)


def looks(upload: Seen) -> Judged:
    """The work of one upload, from when it was seen to be at work until its end was seen."""
    start, end = upload.first(PROCESSING), upload.shown[-1].at
    assert start is not None
    found = []
    at = start + INTERVAL
    while at < end:
        shown = upload.last_before(at)
        share = (shown.percent - RECEIVED_PERCENT) / (100 - RECEIVED_PERCENT)
        eta = None if shown.eta is None else shown.eta - (at - shown.at)
        found.append(Look((at - start) / (end - start), share, end - at, eta))
        at += INTERVAL
    return Judged(upload.name, end - start, found)


def received(upload: Seen) -> Iterator[tuple[float, float]]:
    """Of the receive leg: percent shown, and percent by bytes."""
    for shown in upload.shown:
        if shown.state == RECEIVING and shown.bytes_total:
            yield shown.percent, RECEIVED_PERCENT * shown.bytes_done / shown.bytes_total


@dataclass
class Verdict:
    """Of all uploads together."""

    uploads: Sequence[Judged]
    falls: int
    receive_difference: float
    receive_looks: int

    def _class(self, least: float, most: float) -> tuple[int, int, float, float]:
        """Files, looks, and mean points by look and by file."""
        files = [each for each in self.uploads if least <= each.seconds < most and each.looks]
        points = [100 * abs(look.shown - look.true) for each in files for look in each.looks]
        by_file = statistics.fmean(each.points for each in files) if files else 0.0
        return len(files), len(points), statistics.fmean(points) if points else 0.0, by_file

    def etas(self) -> tuple[int, float, float]:
        """From half-way on, of work of at least LONG: looks, share of them within 25 % or a tick, and within 25 %."""
        long = [each for each in self.uploads if each.seconds >= LONG]
        late = [look for each in long for look in each.looks if look.true >= 0.5]
        if not late:
            return 0, 0.0, 0.0
        errors = [abs(look.eta - look.left) if look.eta is not None else float("inf") for look in late]
        near = [error <= max(0.25 * look.left, TICK) for error, look in zip(errors, late, strict=True)]
        strict = [error <= 0.25 * look.left for error, look in zip(errors, late, strict=True)]
        return len(late), statistics.fmean(near), statistics.fmean(strict)

    def figures(self) -> dict[str, object]:
        """For programs."""
        files, moments, by_look, by_file = self._class(0, float("inf"))
        late, near, strict = self.etas()
        return {
            "files": len(self.uploads),
            "files with looks": files,
            "looks": moments,
            "mean points by look": round(by_look, 2),
            "mean points by file": round(by_file, 2),
            "by seconds of work": {
                f"{least:g} to {most:g}": dict(
                    zip(("files", "looks", "by look", "by file"), self._class(least, most), strict=True)
                )
                for least, most in CLASSES
            },
            "falls": self.falls,
            "receive leg: looks": self.receive_looks,
            "receive leg: most points off bytes": round(self.receive_difference, 2),
            "eta: looks": late,
            "eta: within 25 % or half a second": round(near, 3),
            "eta: within 25 %": round(strict, 3),
        }

    def lines(self) -> Iterator[str]:
        """For people."""
        for name, figure in self.figures().items():
            if isinstance(figure, dict):
                for span, row in figure.items():
                    points = f"{row['by look']:.1f} points by look, {row['by file']:.1f} by file"
                    yield f"  work of {span} s: {row['files']} files, {row['looks']} looks, {points}"
            else:
                yield f"{name}: {figure}"
        for worst in sorted((each for each in self.uploads if each.looks), key=lambda each: -each.points)[:8]:
            yield f"  worst: {worst.name} {worst.seconds:.2f} s {worst.points:.1f} points"


def judged(seen: Sequence[Seen]) -> Verdict:
    """The verdict."""
    falls = sum(
        after.percent < before.percent
        for upload in seen
        for before, after in zip(upload.shown, upload.shown[1:], strict=False)
    )
    receiving = [row for upload in seen for row in received(upload)]
    difference = max((abs(shown - by_bytes) for shown, by_bytes in receiving), default=0.0)
    return Verdict([looks(upload) for upload in seen], falls, difference, len(receiving))
