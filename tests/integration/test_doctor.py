"""`mediafleet doctor` finds what is wrong, says how to mend it, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from mediafleet.cli import cli
from mediafleet_core.doctor import bucket as bucket_exam
from mediafleet_core.storage import open_bare
from mediafleet_core.storage.s3_client import make_client
from mediafleet_devserver.redis_server import free_port, redis_server
from tests import gateways
from tests.buckets import ADMIN, Bucket, bucket
from tests.gateways import bearer

Found = dict[str, dict[str, str]]
ORIGIN = "https://app.example.com"
CORS = {
    "AllowedOrigins": [ORIGIN],
    "AllowedMethods": ["PUT"],
    "AllowedHeaders": ["content-type", "x-amz-checksum-crc32c"],
    "ExposeHeaders": ["ETag"],
}


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One whose configuration a test may change."""
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def served(own_redis: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bucket]:
    """The environment of a gateway and of a worker on a bucket of their own."""
    with bucket(f"doctor-{tmp_path.name.replace('_', '-')[-40:].lower().strip('-')}") as real:
        for name, value in _environment(real, own_redis, tmp_path).items():
            monkeypatch.setenv(name, value)
        yield real


def _environment(real: Bucket, redis_url: str, folder: Path) -> dict[str, str]:
    return {
        **real.environment,
        "MEDIAFLEET_LEDGER_URL": redis_url,
        "MEDIAFLEET_BROKER_URL": redis_url.removesuffix("/0") + "/1",
        "MEDIAFLEET_SCRATCH_DIR": str(folder / "scratch"),
        "MEDIAFLEET_TOKEN_KEY": gateways.KEY,
    }


def doctor(*arguments: str) -> tuple[Result, Found]:
    """How it ended, and the last finding of each name."""
    done = CliRunner().invoke(cli, ["doctor", "--json", *arguments], catch_exceptions=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return done, {line["name"]: line for line in lines}


def test_all_is_well(own_redis: str, tmp_path: Path) -> None:
    """In a process of its own, as in a pod."""
    with bucket("doctor-well") as real:
        done = subprocess.run(
            [sys.executable, "-m", "mediafleet", "doctor", "--json"],
            env={"PATH": os.defpath, **_environment(real, own_redis, tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert {line["status"] for line in lines} <= {"ok", "warning", "skipped"}
        found = {line["name"]: line for line in lines}
        assert "5 MiB" in found["storage multipart"]["text"]
        assert found["redis fsync"]["status"] == found["redis eviction"]["status"] == "ok"
        for form in ("JPEG", "PNG", "WEBP", "GIF", "TIFF"):
            assert found[f"decode {form}"]["status"] == "ok", found
        assert found["workers"]["status"] == "warning"  # there are none
        assert found["cors"]["status"] == "skipped"  # a token for objects may not read it
        assert all(line["remedy"] for line in lines if line["status"] == "warning")
        assert asyncio.run(_left(real)) == ([], [])


async def _left(real: Bucket) -> tuple[list[Any], list[Any]]:
    store = open_bare(real.settings)
    try:
        return [each async for each in store.list("")], [each async for each in store.list_multiparts("")]
    finally:
        await store.close()


def test_a_redis_that_forgets_is_found_out(served: Bucket, own_redis: str) -> None:
    with Redis.from_url(own_redis, protocol=2) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("appendfsync", "everysec")
        try:
            done, found = doctor("--only", "redis")
            assert done.exit_code == 1
            assert found["redis eviction"]["status"] == "failed"
            assert "noeviction" in found["redis eviction"]["remedy"]
            assert found["redis fsync"]["status"] == "warning"
            client.config_set("appendonly", "no")
            assert doctor("--only", "redis")[1]["redis persistence"]["status"] == "failed"
        finally:
            for name, value in (("maxmemory-policy", "noeviction"), ("appendfsync", "always"), ("appendonly", "yes")):
                client.config_set(name, value)


def test_a_redis_that_is_shared_or_away_is_found_out(
    served: Bucket, own_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDIAFLEET_BROKER_URL", own_redis)
    assert "another database" in doctor("--only", "redis")[1]["broker"]["remedy"]
    monkeypatch.setenv("MEDIAFLEET_LEDGER_URL", f"redis://127.0.0.1:{free_port()}/0")
    done, found = doctor("--only", "redis")
    assert (done.exit_code, "MEDIAFLEET_LEDGER_URL" in found["redis"]["remedy"]) == (1, True)


def test_a_storage_that_does_not_answer_is_waited_for_once(served: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(bucket_exam, "make_client", lambda settings: asked.append("client"))
        patched.setenv("R2_ENDPOINT_URL", f"http://user:secret@127.0.0.1:{free_port()}")
        done, found = doctor("--only", "storage", "--only", "clock")
    assert (done.exit_code, list(found), asked) == (1, ["storage"], [])
    assert "secret" not in done.output


def test_settings_that_are_wrong_or_slips_are_found_out(served: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDIAFLEET_STORAGE_TIMOUT", "5s")
    monkeypatch.setenv("MEDIAFLEET_GATEWAY_PORT_50051_TCP_ADDR", "10.0.0.1")  # as Kubernetes sets it for a Service
    monkeypatch.setenv("MEDIAFLEET_JOB_LEASE", "soon")
    done, found = doctor("--only", "variables", "--only", "worker settings")
    assert done.exit_code == 1
    assert "MEDIAFLEET_STORAGE_TIMEOUT is meant" in found["variables"]["remedy"]
    assert "MEDIAFLEET_JOB_LEASE must be a time" in found["worker settings"]["text"]
    monkeypatch.setenv("MEDIAFLEET_JOB_LEASE", "0s")
    assert "greater than 0 seconds" in doctor("--only", "worker settings")[1]["worker settings"]["text"]
    assert "TCP_ADDR" not in done.stdout


def test_rules_of_a_bucket_are_judged(served: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ADMIN.items():
        monkeypatch.setenv(name, value)
    admin = make_client(
        served.settings.model_copy(
            update={
                "r2_access_key_id": ADMIN["R2_ACCESS_KEY_ID"],
                "r2_secret_access_key": type(served.settings.r2_secret_access_key)(ADMIN["R2_SECRET_ACCESS_KEY"]),
            }
        )
    )
    name = served.settings.r2_bucket_name
    asked = ("--only", "browsers", "--only", "lifecycle")
    found = doctor(*asked)[1]
    assert (found["cors"]["status"], found["lifecycle"]["status"]) == ("warning", "ok")
    assert "7 days" in found["lifecycle"]["text"]

    cors: Any = {"CORSRules": [CORS]}
    admin.put_bucket_cors(Bucket=name, CORSConfiguration=cors, ChecksumAlgorithm="SHA256")
    lifecycle: Any = {"Rules": [{"ID": "mine", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 30}}]}
    admin.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=lifecycle, ChecksumAlgorithm="SHA256")
    found = doctor(*asked, "--origin", f"{ORIGIN}/")[1]
    assert (found["cors"]["status"], found["lifecycle"]["status"]) == ("ok", "failed")
    assert doctor("--only", "browsers", "--origin", "https://other.example.com")[1]["cors"]["status"] == "failed"


def test_where_nothing_tells_of_redis_it_says_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("MEDIAFLEET_", "R2_"))]:
        monkeypatch.delenv(name)
    done, found = doctor("--only", "elsewhere")
    assert (done.exit_code, found["redis, storage"]["status"]) == (0, "skipped")
    assert "dev server" in found["redis, storage"]["remedy"]
    assert "kubectl exec" in found["redis, storage"]["remedy"]
    done, _ = doctor("--only", "storage")
    assert (done.exit_code, "kubectl exec" in done.stderr, "elsewhere" in done.stderr) == (2, True, False)


def test_a_gateway_that_nobody_names_is_not_taken_for_a_good_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MEDIAFLEET_ENDPOINT", raising=False)
    _, found = doctor("--only", "Gateway")
    assert (found["gateway"]["status"], "--endpoint" in found["gateway"]["remedy"]) == ("skipped", True)
    monkeypatch.setattr("mediafleet.cli.doctor._installed", lambda origin: iter(()))  # as where only the SDK is
    done, found = doctor()
    assert (done.exit_code, found, "--endpoint" in done.stderr) == (2, {}, True)


async def test_a_gateway_is_looked_at_from_outside(
    redis_url: str, redis_client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediafleet.cli.doctor._installed", lambda origin: iter(()))  # as where only the SDK is
    async with gateways.running(gateways.settings(redis_url, tmp_path)) as reached:
        monkeypatch.setenv("MEDIAFLEET_ENDPOINT", str(reached.gateway.address))
        monkeypatch.setenv("MEDIAFLEET_TOKEN", bearer("ann", ("read", "upload"))[0][1].removeprefix("Bearer "))
        done, found = await asyncio.to_thread(doctor)
        assert done.exit_code == 0, done.output
        assert {found[name]["status"] for name in ("gateway", "token", "versions", "clock", "gateway's storage")} == {
            "ok"
        }
        assert "tenant ann, scopes read upload (" in found["token"]["text"]
        assert "kubectl exec" in found["settings, storage"]["remedy"]

        monkeypatch.setenv("MEDIAFLEET_TOKEN", "none")
        done, found = await asyncio.to_thread(doctor)
        assert (done.exit_code, "TOKEN_INVALID" in found["token"]["text"]) == (1, True)
        monkeypatch.setenv("MEDIAFLEET_ENDPOINT", f"https://{reached.gateway.address}")
        assert "TLS" in (await asyncio.to_thread(doctor))[1]["gateway"]["remedy"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("MEDIAFLEET_ENDPOINT", f"127.0.0.1:{silent.getsockname()[1]}")
        done, found = await asyncio.to_thread(doctor, "--timeout", "0.5")
        assert (done.exit_code, "did not answer in time" in found["gateway"]["text"]) == (1, True)
    monkeypatch.setenv("MEDIAFLEET_ENDPOINT", f"127.0.0.1:{free_port()}")
    done, found = await asyncio.to_thread(doctor)
    assert (done.exit_code, "nothing listens" in found["gateway"]["text"]) == (1, True)
