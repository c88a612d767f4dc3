"""When an upload that is still being received will be done."""

from __future__ import annotations

import msgspec

from mediafleet_core.progress import tellable

FLOW_MEMORY = 10.0
"""Seconds of memory of the rate at which bytes become durable; see `flow.Flow`, which the ledger follows."""

_SILENCE = 10.0
"""Seconds, besides thrice what the last part took, after which a silent caller is taken to have gone."""


class Flow(msgspec.Struct, frozen=True, array_like=True):
    """The recent rate as the ledger keeps it, in milliseconds: of `at`, of what `size` bytes took, of the last part."""

    at: float
    size: float
    took: float
    last: float


def remaining(flow: Flow, size_left: int, work_seconds: float, now: float) -> float | None:
    """Seconds, from when the last bytes became durable until the upload has succeeded; None when that cannot be told.

    The bytes that are left come at the recent rate, and then work takes `work_seconds`; time in the queue is not in it.
    `now` is in milliseconds.
    """
    if not flow.size or now - flow.at > _SILENCE * 1000 + 3 * flow.last:
        return None
    return tellable(round(size_left * flow.took / flow.size / 1000 + work_seconds, 1))
