"""An upload whose gateways die under it arrives whole, and nothing stays behind."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks.chaos_upload import GATEWAYS, make_file, unfinished_multiparts, upload_through_kills
from mediafleet import window
from mediafleet_core.parts import MIB, SMALLEST_PART
from tests.e2e.dev_server import dev_server


@pytest.mark.parametrize(
    ("size", "kills"), [(48 * MIB + 4321, 3), pytest.param(256 * MIB + 1, 10, marks=pytest.mark.long)]
)
def test_an_upload_survives_kills_of_its_gateway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, kills: int
) -> None:
    monkeypatch.setattr(window, "SLOW", 60)  # a busy machine shall not pass for a slow storage
    file = make_file(tmp_path / "file", size, seed=size)
    with dev_server(tmp_path / "data", "--gateways", str(GATEWAYS)) as server:
        targets = server.endpoints["gateways"]
        went = asyncio.run(upload_through_kills(file, targets, server.token, lambda: server.pids, kills, seed=kills))
        assert len(went.resent) == kills
        assert went.stored_sha256 == went.worker_sha256 == went.sent_sha256
        assert max(went.resent) <= SMALLEST_PART
        assert unfinished_multiparts(server.data_dir) == []
