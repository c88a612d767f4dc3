"""What happens to the synchronous client before each of its lines in turn: every moment, and none by luck."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from mediafleet import synchronous

_HANDING_OVER = ("call_soon_threadsafe", "_call_soon", "_write_to_self")


class BeforeLine:
    """`act` before the n-th line that this thread runs of the twins and of the event loop they hand their work to.

    `left` stays above 0 if there is no such line.
    """

    def __init__(self, line: int, act: Callable[[], object]) -> None:
        self.left = line
        self._act = act

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        sys.settrace(self._before)

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        ours = code.co_filename == synchronous.__file__ or code.co_name in _HANDING_OVER
        return self._reached if ours else None

    def _reached(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            self.left -= 1
            if self.left == 0:
                self._act()
        return self._reached
