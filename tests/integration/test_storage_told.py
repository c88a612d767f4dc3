"""A storage that is off, wrong or out of reach: gRPC, command line and doctor name the cause, and nothing ends."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import grpc
import pytest
from click.testing import CliRunner
from google.rpc.error_details_pb2 import RetryInfo
from redis.asyncio import Redis

from mediafleet.cli import cli
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1.usage_pb2 import GetUsageRequest, StorageState, Usage, UsageScope
from mediafleet_core.errors import Reason
from mediafleet_core.settings import SettingsError
from mediafleet_devserver.redis_server import free_port
from mediafleet_gateway.bootstrap import Settings
from mediafleet_workers.bootstrap import Settings as WorkerSettings
from tests.buckets import ADMIN, READER, bucket
from tests.gateways import ANN, KEY, Reached, refused, running
from tests.waiting import eventually

DISABLED, MISCONFIGURED, UNREACHABLE = (
    StorageState.STORAGE_STATE_DISABLED,
    StorageState.STORAGE_STATE_MISCONFIGURED,
    StorageState.STORAGE_STATE_UNREACHABLE,
)
_numbers = itertools.count()


class Way(NamedTuple):
    """A way to be wrong: variables that differ (None: left out), and what everybody is told."""

    said: str
    state: StorageState.ValueType = MISCONFIGURED
    reason: Reason = Reason.STORAGE_DENIED
    clock_ahead: timedelta = timedelta(0)
    variables: Mapping[str, str | None] = {}


WAYS = {
    "disabled": Way("R2_ENABLED=false", DISABLED, Reason.STORAGE_DISABLED, variables={"R2_ENABLED": "false"}),
    "off": Way("STORAGE=off", DISABLED, Reason.STORAGE_DISABLED, variables={"MEDIAFLEET_STORAGE": "off"}),
    "setting missing": Way("R2_BUCKET_NAME is missing", variables={"R2_BUCKET_NAME": None}),
    "wrong secret": Way("R2_SECRET_ACCESS_KEY is not the secret", variables={"R2_SECRET_ACCESS_KEY": "another"}),
    "unknown key": Way("access key is not known", variables={"R2_ACCESS_KEY_ID": "nobody"}),
    "bucket of others": Way("R2_BUCKET_NAME is not its bucket", variables={"R2_BUCKET_NAME": "of-others"}),
    "no such bucket": Way("bucket does not exist", variables={**ADMIN, "R2_BUCKET_NAME": "nowhere"}),
    "no route": Way(
        "nothing listens", UNREACHABLE, Reason.STORAGE_UNAVAILABLE, variables={"R2_ENDPOINT_URL": "closed"}
    ),
    "read-only token": Way("may not write", variables=READER),
    "clock behind": Way("60 minutes behind", clock_ahead=timedelta(hours=1)),
    "clock ahead": Way("60 minutes ahead of", clock_ahead=-timedelta(hours=1)),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_each_way_is_named_everywhere(
    way: Way, redis_url: str, redis_client: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bucket(f"told-{next(_numbers)}", clock_ahead=way.clock_ahead) as real:
        _set(monkeypatch, {**real.environment, **way.variables}, redis_url)
        async with running(Settings.from_environment()) as reached:
            usage = await eventually(lambda: _usage_saying(reached, way.said), message=way.said)
            assert usage is not None
            assert usage.storage_state == way.state
            whole = GetUsageRequest(scope=UsageScope.USAGE_SCOPE_BUCKET, refresh=True)
            bucket_usage = (await reached.usage.GetUsage(whole, metadata=ANN)).usage
            assert (bucket_usage.storage_state, way.said in bucket_usage.storage_message) == (way.state, True)
            details = [RetryInfo] if way.reason is Reason.STORAGE_UNAVAILABLE else []
            code = grpc.StatusCode.UNAVAILABLE if details else grpc.StatusCode.FAILED_PRECONDITION
            request = pb.UploadFileRequest(spec=pb.UploadSpec(display_name="a.txt"), content=b"a")
            with refused(code, way.reason, *details) as refusal:
                await reached.uploads.UploadFile(request, metadata=ANN)
            assert way.said in refusal.message

            monkeypatch.setenv("MEDIAFLEET_ENDPOINT", str(reached.gateway.address))
            monkeypatch.setenv("MEDIAFLEET_TOKEN", ANN[0][1].removeprefix("Bearer "))
            picture = tmp_path / "a.txt"
            picture.write_text("a")
            for arguments in (["usage"], ["upload", str(picture), "--timeout", "1" if details else "60"]):
                done = await asyncio.to_thread(CliRunner().invoke, cli, arguments)
                assert way.said in done.output
                assert isinstance(done.exception, SystemExit | None)

            told = await asyncio.to_thread(CliRunner().invoke, cli, ["doctor", "--only", "storage"])
            assert told.exit_code == 1, told.output
            assert way.said in told.output
            assert "FAILED   storage" in told.output
            assert "->" in told.output, "every failure says how it is mended"


async def test_in_production_a_setting_that_is_missing_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, {"R2_ENABLED": "true", "MEDIAFLEET_ENVIRONMENT": "production"}, "redis://127.0.0.1:1/0")
    with pytest.raises(SettingsError, match="R2_ACCOUNT_ID is missing"):
        Settings.from_environment()


async def test_a_worker_does_not_start_without_a_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIAFLEET_STORAGE", "off")
    with pytest.raises(SettingsError, match="MEDIAFLEET_STORAGE=off"):
        WorkerSettings.from_environment()


def _set(monkeypatch: pytest.MonkeyPatch, storage: Mapping[str, str | None], redis_url: str) -> None:
    told = {
        **storage,
        "MEDIAFLEET_LEDGER_URL": redis_url,
        "MEDIAFLEET_BROKER_URL": redis_url.removesuffix("/0") + "/1",
        "MEDIAFLEET_GATEWAY_ADDRESS": f"127.0.0.1:{free_port()}",
        "MEDIAFLEET_METRICS_ADDRESS": f"127.0.0.1:{free_port()}",
        "MEDIAFLEET_TOKEN_KEY": KEY,
        "MEDIAFLEET_STORAGE_BREAKER_FAILURES": "1",  # left alone after the first, it still tells why
    }
    for name, value in told.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}" if value == "closed" else value)


async def _usage_saying(reached: Reached, said: str) -> Usage | None:
    """A storage that is slow to refuse may not have done so within the gateway's patience."""
    usage = (await reached.usage.GetUsage(GetUsageRequest(refresh=True), metadata=ANN)).usage
    return usage if said in usage.storage_message else None
