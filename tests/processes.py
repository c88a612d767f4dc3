"""Looking at processes of this machine, as /proc shows them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def state(pid: int) -> str:
    """The state letter; "" when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def alive(pid: int) -> bool:
    """Whether it still runs; a zombie does not."""
    return state(pid) not in {"", "Z", "X"}


def children(pid: int) -> list[int]:
    """Pids of its children, whichever thread started them, zombies included."""
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, (thread / "children").read_text().split())
    return found


def descendants(pid: int) -> list[int]:
    """Pids of its children, their children and so on."""
    return [found for child in children(pid) for found in (child, *descendants(child))]


def environ(pid: int) -> set[str]:
    """Names in the environment that it was started with."""
    return {entry.partition("=")[0] for entry in Path(f"/proc/{pid}/environ").read_text().split("\0")}
