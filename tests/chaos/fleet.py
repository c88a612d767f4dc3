"""A fleet with failpoints and short waits, for the matrix."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tests.chaos.points import Armed
from tests.fleet import Fleet

PART = 512 << 10
"""Bytes of a part."""

_SETTINGS = {
    "MEDIAFLEET_BROKER_HEARTBEAT_TIMEOUT": "PT2S",
    "MEDIAFLEET_SWEEP_AGAIN_AFTER": "PT1.5S",
    "MEDIAFLEET_PART_BYTES": str(PART),
    "MEDIAFLEET_WORKER_KINDS": "IMAGE",
    "MEDIAFLEET_JOB_LEASE": "PT1S",
    "MEDIAFLEET_JOB_RENEW_INTERVAL": "PT0.02S",  # so that even a short job is renewed
    "MEDIAFLEET_HOUSEKEEPING_INTERVAL": "PT0.1S",
    "MEDIAFLEET_HOUSEKEEPING_LEASE": "PT0.4S",
    "MEDIAFLEET_STRAY_INTERVAL": "PT0.5S",
    "MEDIAFLEET_STRAY_AGE": "PT2S",
    "dramatiq_restart_delay": "200",
}


class FaultyFleet(Fleet):
    """`faults` is the folder of what is to happen, `fallen` the roles of those replaced since it was armed.

    The keys of all objects that records name, as the tests have found them, are `named`.
    """

    def __init__(self, folder: Path, storage: Mapping[str, str]) -> None:
        """Begins to run; `wait` tells when all do. `storage` are variables that name one instead of a folder."""
        self.faults = folder / "faults"
        self.faults.mkdir()
        self.named: set[str] = set()
        super().__init__(
            folder,
            _SETTINGS | dict(storage),
            lambda role: (sys.executable, "-m", "tests.chaos.process", role, str(self.faults)),
        )

    def arm(self, armed: Armed, times: int) -> None:
        """Have it happen so many times."""
        for left in self.faults.glob("*.json"):  # by a case that failed
            left.unlink()
        self.fallen.clear()
        for number in range(times):
            draft = self.faults / "draft"
            draft.write_bytes(msgspec.json.encode(armed))
            draft.rename(self.faults / f"{number}.json")

    @property
    def has_happened(self) -> bool:
        """Whether all that was armed has happened."""
        return not list(self.faults.glob("*.json"))


@contextmanager
def faulty_fleet_in(folder: Path, storage: Mapping[str, str] | None = None) -> Iterator[FaultyFleet]:
    """Running inside the context."""
    fleet = FaultyFleet(folder, storage or {})
    try:
        fleet.wait()
        yield fleet
    finally:
        fleet.end()
