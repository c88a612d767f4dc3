"""`mediafleet dev` as its user meets it: ready, repaired, stopped, found again."""

from __future__ import annotations

import re
import socket
import stat
import subprocess
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Literal

import pytest
import redis

from mediafleet import Client, NotFound, UploadState
from mediafleet_devserver.announcement import without_password
from mediafleet_devserver.redis_server import free_port
from tests.e2e.dev_server import MEDIAFLEET, DevServerProcess, dev_server, launch
from tests.processes import alive
from tests.waiting import wait_until

CHILDREN = ("redis", "storage-0", "worker-image-0", "worker-other-0", "gateway-0", "gateway-1")

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks at processes in /proc")


def client_of(server: DevServerProcess, token: str = "token") -> Client:
    return Client(targets=server.endpoints["gateways"], token=server.endpoints[token])


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        content: bytes = answer.read()
        return content


def fetches(url: str) -> bool:
    try:
        return bool(fetch(url))
    except (OSError, HTTPException):  # it may end between any two bytes
        return False


def test_endpoints_are_complete(dev: DevServerProcess) -> None:
    endpoints = dev.endpoints
    assert set(endpoints) == {
        *("gateways", "token", "other_token", "admin_token", "metrics", "redis", "storage", "pids"),
    }
    assert tuple(endpoints["pids"]) == CHILDREN
    assert all(alive(pid) for pid in endpoints["pids"].values())
    assert stat.S_IMODE((dev.data_dir / "endpoints.json").stat().st_mode) == 0o600
    first, second = (int(gateway.rpartition(":")[2]) for gateway in endpoints["gateways"])
    assert second == first + 1
    with redis.Redis.from_url(endpoints["redis"], protocol=2) as ledger:
        assert ledger.ping()
        assert ledger.config_get("appendfsync") == {"appendfsync": "always"}


def test_every_process_has_a_metrics_page(dev: DevServerProcess) -> None:
    pages = "".join(fetch(url).decode() for url in dev.endpoints["metrics"])
    components = re.findall(r'^mediafleet_build_info\{component="(\w+)"', pages, re.M)
    assert components == ["gateway", "gateway", "worker", "worker"]


def test_prints_no_secret_of_a_setting(tmp_path: Path, redis_url: str) -> None:
    hook = '{"demo": {"url": "https://example.com/hook", "secret": "whsec_c2VjcmV0LW9mLTI0LWJ5dGVzLW9yLXNv"}}'
    away = "redis://:redis-password@127.0.0.1:1/0"
    given = {"MEDIAFLEET_WEBHOOKS": hook, "MEDIAFLEET_LEDGER_URL": redis_url, "MEDIAFLEET_BROKER_URL": redis_url}
    with dev_server(tmp_path / "data", environment=given) as server:
        wait_until(lambda: "Ready in" in server.output, message="the last line")
        assert "MEDIAFLEET_WEBHOOKS " in server.output
        assert "whsec_" not in server.output
    assert without_password(away) == "redis://:***@127.0.0.1:1/0"
    assert without_password("redis://user:a:b@host/0, redis://host:1/0") == "redis://user:***@host/0, redis://host:1/0"


def test_prints_its_settings_and_no_secret(dev: DevServerProcess) -> None:
    wait_until(lambda: "Ready in" in dev.output, message="the last line")
    assert "NOT FOR PRODUCTION" in dev.output
    assert f"MEDIAFLEET_LEDGER_URL {dev.endpoints['redis']}" in " ".join(dev.output.split())
    secrets = [path.read_text() for path in (dev.data_dir / "keys").iterdir()]
    secrets += [dev.endpoints[name] for name in ("token", "other_token", "admin_token")]
    assert not [secret for secret in secrets if secret in dev.output]


def test_tokens_name_tenants_apart(dev: DevServerProcess) -> None:
    with client_of(dev) as mine, client_of(dev, "other_token") as theirs, client_of(dev, "admin_token") as staff:
        upload = mine.upload(b"mine", display_name="mine.txt")
        with pytest.raises(NotFound):
            theirs.get(upload.upload_id)
        assert list(staff.list()) == []


@pytest.mark.parametrize("name", CHILDREN)
def test_a_killed_child_is_started_again(dev: DevServerProcess, name: str) -> None:
    before = dev.pids
    dev.wait_for_successor(name, dev.kill(name))
    after = dev.pids
    assert {other: pid for other, pid in after.items() if other != name} == {
        other: pid for other, pid in before.items() if other != name
    }
    with client_of(dev) as client:
        upload = client.upload(b"after the restart", display_name="again.txt", wait=True, timeout=60)
        assert upload.state == UploadState.UPLOAD_STATE_SUCCEEDED
        wait_until(lambda: fetches(client.download_url(upload.upload_id)), message="the storage to answer again")


@pytest.mark.parametrize(("storage", "transfer"), [("local", "stream"), ("s3", "direct")])
def test_data_and_tokens_outlive_a_stop(tmp_path: Path, storage: str, transfer: Literal["stream", "direct"]) -> None:
    data_dir = tmp_path / "data"
    with dev_server(data_dir, "--storage", storage) as server:
        token = server.endpoints["token"]
        with client_of(server) as client:
            upload = client.upload(b"kept", display_name="kept.txt", transfer=transfer, wait=True, timeout=60)
        assert upload.state == UploadState.UPLOAD_STATE_SUCCEEDED
        started = server.descendants()
        assert server.stop() == 0
        assert not [pid for pid in started if alive(pid)]
        assert not (data_dir / "endpoints.json").exists()
    with (
        dev_server(data_dir, "--storage", storage) as server,
        Client(*server.endpoints["gateways"], token=token) as client,
    ):
        assert client.get(upload.upload_id) == upload
        with urllib.request.urlopen(client.download_url(upload.upload_id), timeout=30) as answer:
            assert answer.read() == b"kept"


def test_nothing_outlives_a_killed_dev_server(tmp_path: Path) -> None:
    with dev_server(tmp_path / "data") as server:
        started = server.descendants()
        assert set(server.pids.values()) <= set(started)
        server.process.kill()
        server.process.wait()
        wait_until(lambda: not [pid for pid in started if alive(pid)], message="every child to end")
    with dev_server(tmp_path / "data") as server, client_of(server) as client:
        assert list(client.list()) == []


def refusal(data_dir: Path, *flags: str) -> str:
    with launch(data_dir, *flags, file=subprocess.PIPE) as process:
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    return output.decode()


def test_a_used_data_dir_is_refused(dev: DevServerProcess) -> None:
    said = refusal(dev.data_dir)
    assert "--data-dir" in said
    assert f"in use by the dev server with pid {dev.process.pid}" in said
    assert all(alive(pid) for pid in dev.pids.values())


def test_a_used_port_is_refused(tmp_path: Path) -> None:
    port = free_port(2)
    with socket.create_server(("127.0.0.1", port + 1)):
        said = refusal(tmp_path / "data", "--gateway-port", str(port), "--gateways", "2")
    assert "--gateway-port" in said
    assert f"127.0.0.1:{port + 1}" in said


def test_another_storage_on_the_same_data_is_refused(dev: DevServerProcess, tmp_path: Path) -> None:
    (tmp_path / "storage").write_text("local")
    assert "--storage" in refusal(tmp_path, "--storage", "s3")


def test_help_tells_every_flag() -> None:
    text = subprocess.run([MEDIAFLEET, "dev", "--help"], capture_output=True, text=True, check=True).stdout
    for flag in ("--data-dir", "--gateway-port", "--gateways", "--workers", "--storage"):
        assert flag in text
