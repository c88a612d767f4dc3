"""What may go wrong at a step, case by case, and the file that is on its way then."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.chaos.points import Fault, Point, Port, Side
from tests.pictures import scene


class Case(NamedTuple):
    """A fault on one side of a point, so many times."""

    point: Point
    fault: Fault
    side: Side
    times: int = 1

    def param(self, *, daily: bool) -> pytest.ParameterSet:
        """For `parametrize`; long unless it is played every day."""
        name = f"{self.point.name}-{self.fault}-{self.side}".replace(" ", "_") + "-twice" * (self.times - 1)
        return pytest.param(self, id=name, marks=() if daily else (pytest.mark.long,))


def cases_of(point: Point) -> Sequence[Case]:
    """Every fault on both sides of it.

    A kill before a step also comes twice: it strikes whoever goes on with the work. Nobody rings a bell again.
    """
    every = [Case(point, fault, side) for fault in point.faults for side in Side]
    again = [Case(point, Fault.KILL, Side.BEFORE, 2)] if point.port is not Port.BELLS else []
    return [*every, *again]


def picture(path: Path, size: int) -> bytes:
    """A file of at least so many bytes that nobody has sent before."""
    scene(160, 120).save(path)
    content = path.read_bytes()
    content += random.randbytes(max(32, size - len(content)))
    path.write_bytes(content)
    return content
