"""The command line against a scripted peer: what it prints, where, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from mediafleet.v1.uploads_pb2 import UploadState
from tests import command_line
from tests.integration.scripted_gateway import Refusal, ScriptedGateway, serving

TOKEN = "secret-token"


async def mediafleet(
    *arguments: str, endpoint: str | None = None, cwd: Path | None = None, token: str = TOKEN
) -> subprocess.CompletedProcess[str]:
    return await command_line.mediafleet(*arguments, endpoint=endpoint, cwd=cwd, token=token)


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    for name in ("a.jpg", "b.jpg", "bad.jpg"):
        (tmp_path / name).write_bytes(name.encode() * 300_000)
    return [str(tmp_path / name) for name in ("a.jpg", "b.jpg", "bad.jpg")]


async def test_upload_prints_a_table(photos: list[str]) -> None:
    gateway = ScriptedGateway()
    async with serving(gateway) as address:
        done = await mediafleet("upload", *photos, "--collection", "c", "--label", "k=v", endpoint=address)
    assert (done.returncode, done.stderr) == (0, "")
    assert all(upload_id in done.stdout for upload_id in gateway.uploads)
    assert done.stdout.count("QUEUED") == 3
    assert {(each.collection, each.labels["k"]) for each in gateway.uploads.values()} == {("c", "v")}
    assert gateway.tokens == {f"Bearer {TOKEN}"}


async def test_upload_with_watch_ends_with_1_if_any_failed(photos: list[str]) -> None:
    async with serving(ScriptedGateway()) as address:
        done = await mediafleet("upload", *photos, "--watch", endpoint=address)
    assert done.returncode == 1
    assert done.stdout.count("SUCCEEDED") == 2
    assert "CORRUPT_MEDIA: The file is damaged. Export it again." in done.stdout


async def test_upload_that_was_interrupted_goes_on_when_run_again(tmp_path: Path) -> None:
    film = tmp_path / "film.bin"
    film.write_bytes(bytes(range(256)) * (5 << 12))
    gateway = ScriptedGateway()
    gateway.refusals["WriteUpload"].append(Refusal(grpc.StatusCode.ABORTED, "CONCURRENT_WRITER", after=2))
    async with serving(gateway) as address:
        interrupted = await mediafleet("upload", str(film), "--json", endpoint=address)
        resumed = await mediafleet("upload", film.name, "--json", endpoint=address, cwd=tmp_path)
        again = await mediafleet("upload", str(film), str(film), "--json", endpoint=address)
    assert (interrupted.returncode, resumed.returncode, again.returncode) == (1, 0, 0)
    assert gateway.called("WriteUpload") == [0, 2 << 20]
    assert again.stdout == resumed.stdout
    assert len(gateway.uploads) == 1


@pytest.mark.parametrize("redirected", [False, True])
async def test_upload_takes_the_standard_input(tmp_path: Path, redirected: bool) -> None:
    film = tmp_path / "film.bin"
    film.write_bytes(bytes(range(256)) * (5 << 12))
    gateway = ScriptedGateway()
    async with serving(gateway) as address:
        with film.open("rb") as file:
            stdin = file.fileno() if redirected else subprocess.PIPE
            arguments = ("upload", "-", "--name", "photos/a.jpg", "--json")
            process = await command_line.start(*arguments, endpoint=address, stdin=stdin)
            out, err = await process.communicate(None if redirected else film.read_bytes())
    assert (process.returncode, err) == (0, b"")
    assert json.loads(out)["display_name"] == "a.jpg"
    assert [bytes(content) for content in gateway.content.values()] == [film.read_bytes()]
    assert [request.spec.size_bytes for request in gateway.called("CreateUpload")] == [
        len(film.read_bytes()) * redirected
    ]


async def test_upload_prints_json_lines(photos: list[str]) -> None:
    gateway = ScriptedGateway()
    gateway.refusals["CreateUpload"].append(Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED"))
    async with serving(gateway) as address:
        done = await mediafleet("upload", *photos, "--watch", "--json", endpoint=address)
    assert (done.returncode, done.stderr) == (1, "")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 3
    [refused] = [line for line in lines if "error" in line]
    assert refused["error"]["reason"] == "QUOTA_EXCEEDED"
    assert refused["path"] in photos
    assert {line["state"] for line in lines if "state" in line} <= {"UPLOAD_STATE_SUCCEEDED", "UPLOAD_STATE_FAILED"}


async def test_upload_refused_is_told_with_its_next_step(photos: list[str]) -> None:
    gateway = ScriptedGateway()
    gateway.refusals["UploadFile"].append(Refusal(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED"))
    gateway.refusals["CreateUpload"].append(Refusal(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED"))
    async with serving(gateway) as address:
        done = await mediafleet("upload", photos[0], endpoint=address)
    assert done.returncode == 1
    assert done.stderr == f"{photos[0]}: TOKEN_EXPIRED: refused by script; get a new token\n"


@pytest.mark.parametrize("reason", ["LEDGER_UNAVAILABLE", "STORAGE_UNAVAILABLE"])
async def test_what_a_gateway_cannot_reach_is_not_blamed_on_the_endpoint(reason: str) -> None:
    gateway = ScriptedGateway()
    gateway.refusals["GetUsage"].extend([Refusal(grpc.StatusCode.UNAVAILABLE, reason)] * 20)
    async with serving(gateway) as address:
        done = await mediafleet("usage", "--timeout", "0.2", endpoint=address)
    assert done.returncode == 1
    said = f"mediafleet: {reason}: refused by script; an operator finds out more with `mediafleet doctor`\n"
    assert done.stderr.endswith(said)


async def test_commands_on_an_upload() -> None:
    gateway = ScriptedGateway()
    gateway.keep("u-1", name="x\x1b[31m[bold].jpg")
    async with serving(gateway) as address:
        status = await mediafleet("status", "u-1", endpoint=address)
        listed = await mediafleet("list", "--state", "receiving", "--json", endpoint=address)
        usage = await mediafleet("usage", endpoint=address)
        watched = await mediafleet("watch", "u-1", "--json", endpoint=address)
        unknown = await mediafleet("status", "u-2", endpoint=address)
    assert "u-1" in status.stdout
    assert "\x1b" not in status.stdout
    assert "[bold].jpg" in status.stdout
    assert json.loads(listed.stdout)["state"] == "UPLOAD_STATE_RECEIVING"
    assert gateway.called("ListUploads")[0].filter.states == [UploadState.UPLOAD_STATE_RECEIVING]
    assert "1.2 MB" in usage.stdout
    assert [json.loads(line)["upload_id"] for line in watched.stdout.splitlines()] == ["u-1"] * 4
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("mediafleet: u-2: UPLOAD_NOT_FOUND: ")
    assert unknown.stderr.count("\n") == 1


async def test_each_of_several_ids_is_answered() -> None:
    gateway = ScriptedGateway()
    gateway.keep("u-1")
    gateway.keep("u-3")
    async with serving(gateway) as address:
        done = await mediafleet("status", "u-1", "u-2", "u-3", endpoint=address)
    assert done.returncode == 1
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["upload", "u-1", "u-3"]
    assert done.stderr.startswith("mediafleet: u-2: UPLOAD_NOT_FOUND: ")


async def test_a_failure_is_told_with_its_details() -> None:
    gateway = ScriptedGateway()
    failure = gateway.keep("u-1").failure
    failure.code, failure.message, failure.detail = "CORRUPT_MEDIA", "The file is damaged.", "Row 7 is missing."
    failure.next_step = "Export it again."
    async with serving(gateway) as address:
        done = await mediafleet("list", endpoint=address)
    assert "CORRUPT_MEDIA: The file is damaged. Row 7 is missing. Export it again." in done.stdout


async def test_an_empty_list_is_told() -> None:
    async with serving(ScriptedGateway()) as address:
        for_people = await mediafleet("list", endpoint=address)
        for_programs = await mediafleet("list", "--json", endpoint=address)
    assert (for_people.returncode, for_people.stdout, for_people.stderr) == (0, "", "no uploads\n")
    assert (for_programs.returncode, for_programs.stdout, for_programs.stderr) == (0, "", "")


async def test_a_reader_that_has_enough_ends_it_silently() -> None:
    gateway = ScriptedGateway()
    for number in range(40):
        gateway.keep(f"u-{number}", name="x" * 4000)
    async with serving(gateway) as address:
        environment = {"PATH": os.environ["PATH"], "MEDIAFLEET_ENDPOINT": address}
        process = await asyncio.create_subprocess_shell(
            f"{shlex.quote(sys.executable)} -m mediafleet list --json | head -n 1",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        stdout, stderr = await process.communicate()
    assert (stdout.count(b"\n"), stderr) == (1, b"")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["status", "u-1"], "make run"),
        (["usage", "--endpoint", "127.0.0.1"], "HOST:PORT"),
        (["usage", "--endpoint", "127.0.0.1:99999"], "HOST:PORT"),
        (["usage", "--endpoint", "ftp://127.0.0.1:1"], "HOST:PORT"),
        (["usage", "--endpoint", "[::1"], "HOST:PORT"),
        (["upload", "/no/such/file"], "does not exist"),
        (["upload", __file__, "--label", "nothing"], "label"),
        (["url", "u-1", "--expires-in", "soon"], "span"),
        (["status", "u-1", "--endpoints-file", "/no/such/file"], "mediafleet dev"),
        (["list", "--since", "yesterday"], "no time"),
        (["list", "--since", "0001-01-01T00:00+23:00"], "no time"),
        (["list", "--since", "99999999999999d"], "longer than"),
        (["list", "--limit", "99999999999999999999"], "range"),
        (["webhooks", "replay", "--since", "800000d"], "longer than"),
        (["usage", "--timeout", "inf"], "range"),
        (["nonsense"], "No such command"),
        (["usage", "nonsense"], "No such command"),
        (["--json", "list"], "behind its name"),
        (["upload", "/"], "mediafleet batch create"),
        (["doctor", "--origin", "app.example.com"], "no origin"),
        (["retry", "u-1", "--failed"], "either IDs or --failed"),
        (["upload", "-"], "--name photo.jpg"),
        (["upload", "-", __file__, "--name", "x"], "sent alone"),
    ],
)
async def test_wrong_usage_ends_with_2(arguments: list[str], hint: str, tmp_path: Path) -> None:
    done = await mediafleet(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert hint in done.stderr


async def test_an_argument_that_is_no_text_is_named_as_such() -> None:
    done = await mediafleet("status", "u-\udcff", endpoint="127.0.0.1:1")
    assert (done.returncode, done.stderr) == (
        1,
        "mediafleet: u-\N{REPLACEMENT CHARACTER} is no text: its bytes are not UTF-8\n",
    )


async def test_dev_server_is_found_by_its_file(tmp_path: Path) -> None:
    gateway = ScriptedGateway()
    async with serving(gateway) as address:
        (tmp_path / ".mediafleet").mkdir()
        (tmp_path / ".mediafleet" / "endpoints.json").write_text(json.dumps({"gateways": [address], "token": "dev"}))
        assert (await mediafleet("usage", cwd=tmp_path)).returncode == 0
        assert (await mediafleet("usage", cwd=tmp_path, token="")).returncode == 0
        assert (await mediafleet("usage", cwd=tmp_path, token="", endpoint=address)).returncode == 0
    assert gateway.tokens == {f"Bearer {TOKEN}", "Bearer dev"}


async def test_a_dev_servers_token_goes_to_no_other_gateway(tmp_path: Path) -> None:
    gateway = ScriptedGateway()
    async with serving(gateway) as address:
        (tmp_path / ".mediafleet").mkdir()
        known = {"gateways": ["127.0.0.1:1"], "token": "dev"}
        (tmp_path / ".mediafleet" / "endpoints.json").write_text(json.dumps(known))
        assert (await mediafleet("usage", cwd=tmp_path, token="", endpoint=address)).returncode == 0
    assert gateway.tokens == set()


async def test_gateway_that_is_away_is_named_in_one_line() -> None:
    done = await mediafleet("usage", "--timeout", "0.3", endpoint="127.0.0.1:1")
    assert done.returncode == 1
    assert done.stderr.startswith("mediafleet: UNAVAILABLE: no gateway answers at 127.0.0.1:1 (connection refused); ")
    assert done.stderr.count("\n") == 1


async def test_a_gateway_that_is_away_for_longer_is_told_once_before_the_end() -> None:
    done = await mediafleet("usage", "--timeout", "3", endpoint="127.0.0.1:1")
    lines = done.stderr.splitlines()
    assert lines[0] == "mediafleet: no gateway answers at 127.0.0.1:1 (connection refused); trying for 3 s"
    assert len(lines) == 2


async def test_wrong_endpoints_have_sentences_of_their_own() -> None:
    async with serving(ScriptedGateway()) as address:
        tls = await mediafleet("usage", "--timeout", "0.3", endpoint=f"https://{address}")
    unknown = await mediafleet("usage", "--timeout", "2", endpoint="no-such-host.invalid:8070")
    assert tls.stderr.startswith(f"mediafleet: UNAVAILABLE: what answers at {address} speaks no TLS; ")
    told = unknown.stderr.splitlines()[-1]  # whoever resolves names may take his time
    assert told.startswith("mediafleet: UNAVAILABLE: the host of no-such-host.invalid:8070 is not known; ")
    assert tls.stderr.count("\n") == 1


def test_help_starts_without_grpc() -> None:
    code = """
import sys, mediafleet.cli
try:
    mediafleet.cli.main(["--help"])
finally:
    print(sorted({"grpc", "rich"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "upload" in done.stdout
    assert done.stdout.endswith("[]\n")
