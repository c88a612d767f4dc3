"""A client that is not ours, in another language, follows a batch to its end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mediafleet import Client
from tests.e2e.dev_server import DevServerProcess

ROOT = Path(__file__).parents[2]


def messages(text: str) -> Iterator[dict[str, Any]]:
    """JSON objects, one after the other."""
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        message, end = decoder.raw_decode(text)
        yield message
        text = text[end:]


@pytest.mark.skipif(shutil.which("npx") is None, reason="Node is absent, and buf comes from npm")
def test_buf_follows_a_batch_to_its_end(dev: DevServerProcess) -> None:
    subprocess.run([ROOT / "tools" / "buf.sh"], check=True, capture_output=True)  # installs buf into tools/
    with Client(dev.gateway, token=dev.token) as client:
        batch = client.batches.create("foreign", expected_items=3)
        with subprocess.Popen(
            [
                *(ROOT / "tools" / "node_modules" / ".bin" / "buf", "curl", "--schema", ROOT / "protos"),
                *("--protocol", "grpc", "--http2-prior-knowledge", "-H", f"authorization: Bearer {dev.token}"),
                *("-d", json.dumps({"batch_id": batch.batch_id})),
                f"http://{dev.gateway}/mediafleet.v1.BatchService/WatchBatch",
            ],
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], "HOME": str(dev.data_dir)},
        ) as buf:
            assert buf.stdout is not None
            begun = buf.stdout.readline()  # it watches
            for number in range(3):
                client.upload(b"%d" % number, display_name=f"{number}.txt", batch_id=batch.batch_id)
            client.batches.seal(batch.batch_id)
            events = list(messages(begun + buf.stdout.read()))
        assert buf.returncode == 0
    assert events[0]["snapshot"]["state"] == "BATCH_STATE_OPEN"
    changes = [event["stateChanged"]["state"] for event in events if "stateChanged" in event]
    assert changes == ["BATCH_STATE_SEALED", "BATCH_STATE_SUCCEEDED"]
    assert events[-1]["stateChanged"]["batch"]["progress"]["counts"] == {"total": "3", "succeeded": "3"}
