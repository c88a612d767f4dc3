"""The gateway as its callers and operators meet it: listing, watching, downloads, health, metrics, start and end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from grpc import StatusCode
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_requests.client import Client
from pydantic import SecretStr
from redis.asyncio import Redis
from structlog.testing import capture_logs

from mediafleet.v1 import uploads_pb2 as pb
from mediafleet.v1 import usage_pb2
from mediafleet_core.errors import Reason
from mediafleet_core.settings import SettingsError, read
from mediafleet_devserver.redis_server import free_port
from mediafleet_gateway.auth import REQUIRED_SCOPE
from mediafleet_gateway.gateway import LIVENESS
from mediafleet_gateway.methods import methods_of
from mediafleet_gateway.server import SERVICES
from mediafleet_gateway.settings import GatewaySettings
from tests.gateways import ANN, BOB, KEY, Reached, bearer, create, refused, running, send, settings, upload
from tests.ledgers import claimed, ledger_at, outcome
from tests.pages import key, page
from tests.waiting import eventually

OLD_KEY = "the key before, also 32 bytes or more"


def test_every_method_needs_a_scope() -> None:
    ours = [method.path for method in methods_of(SERVICES).values() if method.ours]
    assert sorted(ours) == sorted(REQUIRED_SCOPE)


# --- Reading and changing -------------------------------------------------------------------------------------------


async def pages(reached: Reached, **arguments: Any) -> list[list[str]]:
    """Names of every page of a listing."""
    found, token = [], ""
    while True:
        request = pb.ListUploadsRequest(page_token=token, **arguments)
        page = await reached.uploads.ListUploads(request, metadata=ANN)
        found.append([upload.display_name for upload in page.uploads])
        token = page.next_page_token
        if not token:
            return found


async def test_a_listing_goes_on_where_the_page_before_ended(reached: Reached) -> None:
    for name in "abcde":
        await create(reached, display_name=name, collection="odd" if name in "ace" else "even")
    assert await pages(reached, page_size=2) == [["e", "d"], ["c", "b"], ["a"]]
    assert await pages(reached, page_size=2, order_by="create_time") == [["a", "b"], ["c", "d"], ["e"]]
    assert await pages(reached, page_size=2, filter=pb.UploadFilter(collection="odd")) == [["e", "c"], ["a"]]
    assert await pages(reached, page_size=5000) == [list("edcba")]
    first = await reached.uploads.ListUploads(pb.ListUploadsRequest(page_size=1), metadata=ANN)
    assert first.total_size == 5


async def test_a_page_never_exceeds_what_clients_take(reached: Reached) -> None:
    labels = {f"label{number}": "x" * 255 for number in range(64)}
    for _ in range(250):
        await create(reached, labels=labels)
    found = await pages(reached, page_size=1000)
    assert len(found) > 1
    assert sum(map(len, found)) == 250


async def test_a_page_token_is_bound_to_its_listing_and_tenant(reached: Reached) -> None:
    for name in "abc":
        await create(reached, display_name=name)
    token = (await reached.uploads.ListUploads(pb.ListUploadsRequest(page_size=1), metadata=ANN)).next_page_token
    for other in (
        pb.ListUploadsRequest(page_token=token, filter=pb.UploadFilter(text="a")),
        pb.ListUploadsRequest(page_token=token, order_by="create_time"),
        pb.ListUploadsRequest(page_token=token[:-4]),
    ):
        with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as refusal:
            await reached.uploads.ListUploads(other, metadata=ANN)
        assert refusal.fields == {"page_token"}
    with refused(StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest):
        await reached.uploads.ListUploads(pb.ListUploadsRequest(page_token=token), metadata=BOB)


async def test_an_update_changes_what_its_mask_names(reached: Reached) -> None:
    made = await create(reached, caption="old", labels={"a": "1"})

    async def update(**fields: Any) -> pb.Upload:
        request = pb.UpdateUploadRequest(upload_id=made.upload_id, **fields)
        return (await reached.uploads.UpdateUpload(request, metadata=ANN)).upload

    now = await update(caption="new", labels={"b": "2"}, update_mask=FieldMask(paths=["caption"]))
    assert (now.caption, dict(now.labels)) == ("new", {"a": "1"})
    now = await update(labels={"b": "2"})
    assert (now.caption, dict(now.labels)) == ("new", {"b": "2"})
    now = await update(update_mask=FieldMask(paths=["caption", "labels"]))
    assert (now.caption, dict(now.labels)) == ("", {})


async def test_a_cancelled_original_can_be_tried_again(reached: Reached) -> None:
    made = await upload(reached)
    cancelled = await reached.uploads.CancelUpload(pb.CancelUploadRequest(upload_id=made.upload_id), metadata=ANN)
    assert cancelled.upload.state == pb.UPLOAD_STATE_CANCELLED
    assert cancelled.upload.progress.percent == 100
    again = await reached.uploads.RetryUpload(pb.RetryUploadRequest(upload_id=made.upload_id), metadata=ANN)
    assert (again.upload.state, again.upload.progress.series) == (pb.UPLOAD_STATE_QUEUED, 2)


async def test_a_cancel_names_a_next_step_that_is_possible(reached: Reached) -> None:
    received, receiving = await upload(reached), await create(reached)
    steps = []
    for made in (received, receiving):
        request = pb.CancelUploadRequest(upload_id=made.upload_id)
        steps.append((await reached.uploads.CancelUpload(request, metadata=ANN)).upload.failure.next_step)
    assert steps == [
        "Retry the upload if the cancel was a mistake.",
        "Upload the file again if the cancel was a mistake.",
    ]
    watch = reached.uploads.WatchUpload(pb.WatchUploadRequest(upload_id=receiving.upload_id), metadata=ANN)
    assert (await _read(watch)).snapshot.failure.next_step == steps[1]
    with refused(StatusCode.FAILED_PRECONDITION, Reason.ORIGINAL_MISSING):
        await reached.uploads.RetryUpload(pb.RetryUploadRequest(upload_id=receiving.upload_id), metadata=ANN)


async def test_a_deleted_upload_is_gone_with_its_bytes(reached: Reached, tmp_path: Path) -> None:
    made = await upload(reached)
    for _ in range(2):
        deleted = await reached.uploads.DeleteUpload(pb.DeleteUploadRequest(upload_id=made.upload_id), metadata=ANN)
        assert deleted.upload.display_name == "notes.bin"
    with refused(StatusCode.NOT_FOUND, Reason.UPLOAD_NOT_FOUND):
        await reached.uploads.GetUpload(pb.GetUploadRequest(upload_id=made.upload_id), metadata=ANN)
    assert not [path for path in (tmp_path / "objects" / "objects").rglob("*") if path.is_file()]
    usage = await reached.usage.GetUsage(usage_pb2.GetUsageRequest(), metadata=ANN)
    assert (usage.usage.bytes, usage.usage.objects) == (0, 0)


async def test_usage_tells_bytes_collections_and_the_storages_state(reached: Reached) -> None:
    await upload(reached, b"12345", collection="trip")
    await upload(reached, b"123")
    whole = (await reached.usage.GetUsage(usage_pb2.GetUsageRequest(), metadata=ANN)).usage
    assert (whole.bytes, whole.objects, whole.originals.bytes) == (8, 2, 8)
    assert {row.collection: row.bytes for row in whole.per_collection}["trip"] == 5
    assert {row.kind: row.bytes for row in whole.per_kind}[pb.MEDIA_KIND_OTHER] == 8
    assert (whole.storage_state, whole.source) == (usage_pb2.STORAGE_STATE_OK, usage_pb2.USAGE_SOURCE_COUNTERS)
    request = usage_pb2.GetUsageRequest(scope=usage_pb2.USAGE_SCOPE_COLLECTION, collection="trip")
    part = (await reached.usage.GetUsage(request, metadata=ANN)).usage
    assert (part.bytes, part.collection) == (5, "trip")


async def test_a_download_is_signed_for_its_time(reached: Reached) -> None:
    made = await upload(reached, display_name="my notes.txt")
    request = pb.CreateDownloadUrlRequest(upload_id=made.upload_id, expires_in=Duration(seconds=60))
    answer = await reached.uploads.CreateDownloadUrl(request, metadata=ANN)
    assert answer.url.startswith("http://")
    assert 0 < answer.expire_time.ToSeconds() - made.create_time.ToSeconds() <= 120


# --- Watching -------------------------------------------------------------------------------------------------------


async def test_a_watch_tells_everything_until_the_terminal_state(reached: Reached, redis_url: str) -> None:
    made = await create(reached, display_name="a.jpg", content_type="image/jpeg")
    watch = reached.uploads.WatchUpload(pb.WatchUploadRequest(upload_id=made.upload_id), metadata=ANN)
    stream = aiter(watch)
    events = [await anext(stream)]
    assert events[0].snapshot.state == pb.UPLOAD_STATE_RECEIVING
    await send(reached, pb.WriteUploadRequest(upload_id=made.upload_id, content=b"x", finish_write=True))
    async with ledger_at(redis_url) as ledger:
        claim = await claimed(ledger)
        await ledger.commit(claim.upload.upload_id, claim.fence, outcome())
    events += [event async for event in stream]
    assert await watch.code() is StatusCode.OK
    changes = [event for event in events if event.WhichOneof("event") == "state_changed"]
    assert [change.state_changed.state for change in changes] == [
        pb.UPLOAD_STATE_QUEUED,
        pb.UPLOAD_STATE_PROCESSING,
        pb.UPLOAD_STATE_SUCCEEDED,
    ]
    assert [change.sequence for change in changes] == [2, 3, 4]
    assert [bool(change.state_changed.upload.upload_id) for change in changes] == [False, False, True]
    assert events[-1] is changes[-1]

    resumed = reached.uploads.WatchUpload(
        pb.WatchUploadRequest(upload_id=made.upload_id, after_cursor=changes[0].cursor), metadata=ANN
    )
    assert [event.sequence async for event in resumed] == [3, 4]
    late = reached.uploads.WatchUpload(
        pb.WatchUploadRequest(upload_id=made.upload_id, after_cursor="no cursor"), metadata=ANN
    )
    assert [event.snapshot.state async for event in late] == [pb.UPLOAD_STATE_SUCCEEDED]


async def test_watching_many_begins_with_snapshots(reached: Reached) -> None:
    for name in "ab":
        await create(reached, display_name=name)
    watch = reached.uploads.WatchUploads(pb.WatchUploadsRequest(), metadata=ANN)
    names = {(await _read(watch)).snapshot.display_name for _ in range(2)}
    heartbeat = await _read(watch)
    assert (names, heartbeat.WhichOneof("event")) == ({"a", "b"}, "heartbeat")
    assert heartbeat.heartbeat.interval.seconds == 15
    later = await create(reached, display_name="c")
    event = await _read(watch)
    assert (event.upload_id, event.state_changed.state) == (later.upload_id, pb.UPLOAD_STATE_RECEIVING)
    watch.cancel()


async def test_a_drain_empties_many_watches_before_the_grace_is_over(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    async with running(settings(redis_url, tmp_path)) as reached:
        made = await create(reached)
        request = pb.WatchUploadRequest(upload_id=made.upload_id)
        watches = [reached.uploads.WatchUpload(request, metadata=ANN) for _ in range(50)]
        for watch in watches:
            await _read(watch)
        health = _health(reached.channel).Watch(health_pb2.HealthCheckRequest())
        assert (await _read(health)).status == health_pb2.HealthCheckResponse.SERVING
        await reached.gateway.drain()
        assert (await _read(health)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        # Without any grace worth the name the streams would be cut off, and not end with our own words.
        await asyncio.wait_for(reached.gateway.stop(), timeout=60)
        for watch in watches:
            with refused(StatusCode.UNAVAILABLE, Reason.DRAINING, RetryInfo):
                while await watch.read():
                    pass


async def test_a_writer_is_suspended_at_drain_and_loses_nothing(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    configured = settings(redis_url, tmp_path)
    async with running(configured) as reached:
        made = await create(reached)
        before = (await page(reached.gateway.metrics_address))[_INGEST]
        call = reached.uploads.WriteUpload(metadata=ANN)
        await call.write(pb.WriteUploadRequest(upload_id=made.upload_id, content=b"12345"))
        await eventually(lambda: _ingested(reached, more_than=before), message="the bytes to arrive")
        await reached.gateway.drain()
        with refused(StatusCode.UNAVAILABLE, Reason.DRAINING, RetryInfo):
            await call
    other = settings(redis_url, tmp_path)
    async with running(other) as reached:
        status = await reached.uploads.QueryWriteStatus(
            pb.QueryWriteStatusRequest(upload_id=made.upload_id), metadata=ANN
        )
        assert status.committed_size == 5


# --- Health, reflection, metrics ------------------------------------------------------------------------------------


async def test_health_and_reflection_need_no_credentials(reached: Reached) -> None:
    health = _health(reached.channel)
    for service in ("", LIVENESS, *SERVICES):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    await reached.gateway.drain()
    for service in ("", *SERVICES):
        answer = await health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
    alive = await health.Check(health_pb2.HealthCheckRequest(service=LIVENESS))
    assert alive.status == health_pb2.HealthCheckResponse.SERVING  # who drains is not to be killed


async def test_a_client_without_stubs_calls_by_reflection(reached: Reached) -> None:
    def call() -> Any:
        client: Any = _ByReflection(str(reached.gateway.address))
        try:
            assert set(SERVICES) <= set(client.service_names)
            request = {"spec": {"display_name": "a"}}
            return client.request("mediafleet.v1.UploadService", "CreateUpload", request, metadata=ANN)
        finally:
            client.channel.close()

    answer = await asyncio.to_thread(call)
    assert answer["upload"]["state"] == "UPLOAD_STATE_RECEIVING"


async def test_metrics_exist_before_the_first_call_and_count_it(reached: Reached) -> None:
    samples = await page(reached.gateway.metrics_address)
    labels = {"grpc_type": "unary", "grpc_service": "mediafleet.v1.UploadService", "grpc_method": "GetUpload"}
    for name, more in [
        ("grpc_server_started_total", labels),
        ("grpc_server_handled_total", {**labels, "grpc_code": "DATA_LOSS"}),
        ("grpc_server_msg_received_total", labels),
        ("grpc_server_msg_sent_total", labels),
        ("grpc_server_handling_seconds_count", labels),
        ("grpc_server_started_total", dict.fromkeys(labels, "unknown")),
        ("mediafleet_inflight_rpcs", {"method": "mediafleet.v1.UploadService/WatchUpload"}),
        ("mediafleet_rejected_total", {"reason": "RATE_LIMITED"}),
        ("mediafleet_quota_rejections_total", {"quota": "tenant_bytes"}),
        ("mediafleet_draining", {}),
        ("mediafleet_event_loop_lag_seconds_count", {}),
        ("mediafleet_ingest_bytes_total", {}),
        ("mediafleet_upload_size_bytes_count", {}),
        ("mediafleet_watch_streams", {}),
        ("mediafleet_watch_closed_total", {"reason": "draining"}),
        ("mediafleet_watch_resumes_total", {"outcome": "snapshot"}),
        ("mediafleet_watch_coalesced_total", {}),
        ("mediafleet_ledger_operation_seconds_count", {"operation": "finish"}),
        ("mediafleet_ledger_operation_seconds_count", {"operation": "command"}),
    ]:
        assert key(name, **more) in samples, (name, more)
    assert any(name == "mediafleet_build_info" for name, _ in samples)

    handled = key("grpc_server_handled_total", **labels, grpc_code="INVALID_ARGUMENT")
    with pytest.raises(grpc.aio.AioRpcError):
        await reached.uploads.GetUpload(pb.GetUploadRequest(), metadata=ANN)
    assert (await page(reached.gateway.metrics_address))[handled] == samples[handled] + 1
    assert not {"tenant", "upload_id"} & {label for _, pairs in samples for label, _ in pairs}


# --- Start and end --------------------------------------------------------------------------------------------------


async def test_a_token_of_the_key_before_is_still_good(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    configured = settings(redis_url, tmp_path, gateway={"token_key_previous": OLD_KEY})
    async with running(configured) as reached:
        for key in (KEY, OLD_KEY):
            await create(reached, metadata=bearer(key=key))


async def test_without_a_key_everyone_is_the_local_tenant(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with running(settings(redis_url, tmp_path, gateway={"token_key": None})) as reached:
            assert (await create(reached, metadata=())).tenant == "local"
    assert "no_token_key" in {line["event"] for line in logs if line["log_level"] == "warning"}


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("MEDIAFLEET_GATEWAY_ADDRESS", "0.0.0.0:8070", "MEDIAFLEET_TOKEN_KEY"),
        ("MEDIAFLEET_GATEWAY_ADDRESS", "[::]:8070", "MEDIAFLEET_TOKEN_KEY"),
        ("MEDIAFLEET_ENVIRONMENT", "production", "MEDIAFLEET_TOKEN_KEY"),
        ("MEDIAFLEET_GATEWAY_ADDRESS", "nowhere", "MEDIAFLEET_GATEWAY_ADDRESS"),
        ("MEDIAFLEET_TOKEN_KEY", "short", "MEDIAFLEET_TOKEN_KEY"),
        ("MEDIAFLEET_TENANTS", '{"good": {}, "acme": {"bytes": 1}}', "MEDIAFLEET_TENANTS: acme: .*bytes"),
        ("MEDIAFLEET_TENANTS", '{"No Name": {}}', "MEDIAFLEET_TENANTS: 'No Name'"),
    ],
)
def test_settings_that_are_unsafe_or_wrong_are_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, named: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=named):
        read(GatewaySettings)


def test_with_a_key_any_address_is_allowed() -> None:
    assert GatewaySettings(gateway_address="0.0.0.0:8070", token_key=SecretStr(KEY)).token_keys == (KEY,)


async def test_a_port_in_use_is_named(redis_url: str, redis_client: Redis, tmp_path: Path) -> None:
    configured = settings(redis_url, tmp_path)
    async with running(configured):
        with pytest.raises(SettingsError, match="METRICS_ADDRESS"):
            async with running(configured):
                pass
        free = configured.gateway.model_copy(update={"metrics_address": f"127.0.0.1:{free_port()}"})
        with pytest.raises(SettingsError, match="GATEWAY_ADDRESS"):
            async with running(configured._replace(gateway=free)):
                pass


async def test_the_process_serves_until_sigterm_and_ends_with_zero(
    redis_url: str, redis_client: Redis, tmp_path: Path
) -> None:
    where = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "mediafleet_gateway",
        env={
            "PATH": os.environ["PATH"],
            "MEDIAFLEET_GATEWAY_ADDRESS": where,
            "MEDIAFLEET_METRICS_ADDRESS": f"127.0.0.1:{free_port()}",
            "MEDIAFLEET_LEDGER_URL": redis_url,
            "MEDIAFLEET_STORAGE_DIR": str(tmp_path),
            "MEDIAFLEET_STORAGE_SIGNING_KEY": "signing key of tests",
        },
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with grpc.aio.insecure_channel(where) as channel:
            answer = await _health(channel).Check(health_pb2.HealthCheckRequest(), wait_for_ready=True, timeout=60)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        process.send_signal(signal.SIGTERM)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0
        assert [b"gateway_started" in output, b"gateway_stopped" in output] == [True, True]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


_INGEST: tuple[str, frozenset[tuple[str, str]]] = ("mediafleet_ingest_bytes_total", frozenset())


async def _ingested(reached: Reached, more_than: float) -> bool:
    return (await page(reached.gateway.metrics_address))[_INGEST] > more_than


_ByReflection: Any = Client


def _health(channel: grpc.aio.Channel) -> Any:
    # Its published types leave the methods out.
    return HealthStub(channel)


async def _read(call: Any) -> Any:
    message = await asyncio.wait_for(call.read(), 60)
    assert message is not grpc.aio.EOF
    return message
