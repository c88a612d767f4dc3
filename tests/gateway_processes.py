"""Gateways in processes of their own, which can be stopped and killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import grpc

from mediafleet.v1.uploads_pb2_grpc import UploadServiceStub
from mediafleet_devserver.redis_server import free_port
from tests.guarding import guarded
from tests.intakes import other_database


class GatewayProcess(NamedTuple):
    """Its process, and its service on gRPC's threads: there a refusal in mid-stream keeps its status.

    Every caller is tenant `local`.
    """

    uploads: UploadServiceStub
    process: subprocess.Popen[bytes]


@contextmanager
def gateway_process(redis_url: str, storage: Mapping[str, str], log: Path) -> Iterator[GatewayProcess]:
    """Serving inside the context; killed at its end, if it is stopped too."""
    address = f"127.0.0.1:{free_port()}"
    told = {
        "PATH": os.defpath,
        "MEDIAFLEET_GATEWAY_ADDRESS": address,
        "MEDIAFLEET_METRICS_ADDRESS": f"127.0.0.1:{free_port()}",
        "MEDIAFLEET_LEDGER_URL": redis_url,
        "MEDIAFLEET_BROKER_URL": other_database(redis_url),
        **storage,
    }
    with log.open("wb") as output:
        command = [sys.executable, "-m", "mediafleet_gateway"]
        process = guarded(subprocess.Popen(command, env=told, stdout=output, stderr=output))
    try:
        with grpc.insecure_channel(address) as channel:
            grpc.channel_ready_future(channel).result(60)
            yield GatewayProcess(UploadServiceStub(channel), process)
    finally:
        process.kill()
        process.wait()
