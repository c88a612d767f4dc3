"""Imports that outlive their gateways: each is killed in the middle of copies, and the other one goes on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from mediafleet import AsyncClient, UploadState
from tests import command_line
from tests.fleet import GATEWAY, fleet_in
from tests.waiting import eventually

FILES = 120


@pytest.mark.long  # tests/integration/test_import_copies.py has a gateway fall silent in the middle of a copy
async def test_a_batch_is_imported_though_each_gateway_is_killed(tmp_path: Path) -> None:
    with fleet_in(tmp_path) as here:
        shelf = tmp_path / "objects" / "imports" / "ann"
        shelf.mkdir(parents=True)
        for number in range(FILES):
            (shelf / f"{number:03}.bin").write_bytes(b"%d" % number * 1000)
        token = here.token("ann")
        command = await command_line.start(
            "batch", "import", "/", "--json", endpoint=",".join(here.gateways), token=token
        )
        for number, members in enumerate((FILES // 4, FILES // 2)):
            async with AsyncClient(targets=here.gateways, token=token, timeout=60) as client:

                async def joined(client: AsyncClient = client, members: int = members) -> bool:
                    found = [batch.progress.counts.total async for batch in client.batches.list()]
                    return any(count >= members for count in found)

                await eventually(joined, 60, "members of the batch")
            gateway = [member for member in here.members if member.role == GATEWAY][number]
            await asyncio.to_thread(here.kill, gateway)
            here.mend()
        out, err = await asyncio.wait_for(command.communicate(), 120)
        assert command.returncode == 0, err.decode()
        counts = json.loads(out)["progress"]["counts"]
        assert (counts["total"], counts["succeeded"]) == (str(FILES), str(FILES))
        async with AsyncClient(targets=here.gateways, token=token, timeout=60) as client:
            uploads = [upload async for upload in client.list()]
        assert sorted(upload.path for upload in uploads) == [f"{number:03}.bin" for number in range(FILES)]
        assert {upload.state for upload in uploads} == {UploadState.UPLOAD_STATE_SUCCEEDED}
        assert here.fallen == [GATEWAY, GATEWAY]
        assert len(list(shelf.iterdir())) == FILES
