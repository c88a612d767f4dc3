"""All that failed is found and queued again at once: in the SDK and on the command line."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from mediafleet import AsyncClient, Client, InvalidArgument, UploadFilter
from mediafleet.v1 import uploads_pb2 as pb
from mediafleet_core.failures import FailureCode
from mediafleet_core.identity import UploadId
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.media_types import MediaKind
from tests.gateways import Reached, bearer
from tests.integration.test_cli import mediafleet
from tests.ledgers import LEASE, SPEC, failed, ledger_at, queued

TIMED_OUT, CRASHED = FailureCode.TIMED_OUT, FailureCode.WORKER_CRASHED
TOKEN = bearer()[0][1].removeprefix("Bearer ")


@pytest.fixture
async def ledger(redis_url: str, reached: Reached) -> AsyncIterator[RedisLedger]:
    """The gateway's."""
    async with ledger_at(redis_url) as ledger:
        yield ledger


@pytest.fixture
async def client(reached: Reached) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(str(reached.gateway.address), token=TOKEN) as client:
        yield client


async def fail(ledger: RedisLedger, code: FailureCode = TIMED_OUT, *, kept: bool = True, **spec: str) -> UploadId:
    """An upload that FAILED."""
    await queued(ledger, msgspec.structs.replace(SPEC, **spec))
    return await fail_next(ledger, code, kept=kept)


async def fail_next(ledger: RedisLedger, code: FailureCode = TIMED_OUT, *, kept: bool = True) -> UploadId:
    claim = await ledger.claim(list(MediaKind), "w", LEASE)
    assert claim is not None
    await ledger.fail_attempt(claim.upload.upload_id, claim.fence, failed(code, 1, discard=not kept))
    return claim.upload.upload_id


async def series(client: AsyncClient) -> Counter[int]:
    """How many uploads are in which series."""
    return Counter([upload.progress.series async for upload in client.list()])


# --- In the SDK -----------------------------------------------------------------------------------------------------


async def test_what_failed_is_queued_again_oldest_first(ledger: RedisLedger, client: AsyncClient) -> None:
    ids = [await fail(ledger) for _ in range(3)]
    await queued(ledger)
    found = [outcome async for outcome in client.retry_many(at_once=1)]
    assert [outcome.found.upload_id for outcome in found] == ids
    for outcome in found:
        assert outcome.upload is not None
        assert (outcome.upload.state, outcome.upload.progress.series) == (pb.UPLOAD_STATE_QUEUED, 2)
    assert [outcome async for outcome in client.retry_many()] == []


async def test_filters_choose_among_what_failed(ledger: RedisLedger, client: AsyncClient) -> None:
    names: dict[str, str] = {
        await fail(ledger, CRASHED): "crashed",
        await fail(ledger, collection="other"): "elsewhere",
        await fail(ledger, display_name="a.bin", content_type=""): "no picture",
    }

    async def found(**fields: Any) -> list[str]:
        which = UploadFilter(states=[pb.UPLOAD_STATE_FAILED], **fields)
        return [names[upload.upload_id] async for upload in client.list(which, order_by="create_time")]

    assert await found() == ["crashed", "elsewhere", "no picture"]
    assert await found(failure_codes=["WORKER_CRASHED"]) == ["crashed"]
    assert await found(failure_codes=["WORKER_CRASHED", "TIMED_OUT"], collection="other") == ["elsewhere"]
    assert await found(kinds=[pb.MEDIA_KIND_OTHER]) == ["no picture"]
    past = pb.TimeRange()
    past.end_time.FromDatetime(datetime.now(UTC) - timedelta(hours=1))
    assert await found(create_time_range=past) == []
    chosen = UploadFilter(failure_codes=["WORKER_CRASHED"])
    assert [names[outcome.found.upload_id] async for outcome in client.retry_many(chosen)] == ["crashed"]
    with pytest.raises(InvalidArgument):
        await anext(client.retry_many(UploadFilter(failure_codes=["NO_SUCH_CODE"])))


async def test_one_that_cannot_be_retried_stops_no_other(ledger: RedisLedger, client: AsyncClient) -> None:
    gone = await fail(ledger, kept=False)
    deleted, kept = await fail(ledger), await fail(ledger)
    reasons = {}
    async for found, upload, error in client.retry_many(at_once=1):
        reasons[found.upload_id] = error.reason if error else ""
        assert (upload is None) == (error is not None)
        if found.upload_id == gone:
            await client.delete(deleted)
    assert reasons == {gone: "ORIGINAL_MISSING", deleted: "UPLOAD_NOT_FOUND", kept: ""}


async def test_one_that_fails_again_meanwhile_is_taken_once(ledger: RedisLedger, client: AsyncClient) -> None:
    ids = [await fail(ledger) for _ in range(5)]
    found = []
    async for outcome in client.retry_many(at_once=1):
        found.append(outcome.found.upload_id)
        await fail_next(ledger)
    assert found == ids
    assert await series(client) == {2: 5}


async def test_what_was_interrupted_goes_on_with_the_rest(ledger: RedisLedger, client: AsyncClient) -> None:
    for _ in range(12):
        await fail(ledger)
    async with aclosing(client.retry_many()) as outcomes:
        await anext(outcomes)
    # A gateway may end what it was at when its caller left, now or a little later.
    rest = [outcome async for outcome in client.retry_many()]
    assert 0 < len(rest) < 12
    assert await series(client) == {2: 12}


async def test_two_at_once_queue_each_upload_once(ledger: RedisLedger, client: AsyncClient) -> None:
    for _ in range(20):
        await fail(ledger)

    async def all_that_failed() -> None:
        async for outcome in client.retry_many():
            assert outcome.error is None

    await asyncio.gather(all_that_failed(), all_that_failed())
    assert await series(client) == {2: 20}


# --- On the command line --------------------------------------------------------------------------------------------


def table(printed: str) -> list[list[str]]:
    """Cells of a table, its head left out; the last one holds spaces."""
    return [line.split(None, 2) for line in printed.splitlines()[1:]]


async def test_the_command_line_counts_queues_and_tells(reached: Reached, ledger: RedisLedger) -> None:
    for code, kept in ((CRASHED, True), (TIMED_OUT, True), (TIMED_OUT, True), (TIMED_OUT, False)):
        await fail(ledger, code, kept=kept)
    address = str(reached.gateway.address)

    async def retry(*arguments: str) -> subprocess.CompletedProcess[str]:
        return await mediafleet("retry", "--failed", *arguments, endpoint=address, token=TOKEN)

    counted = await retry("--dry-run")
    assert (counted.returncode, counted.stderr) == (0, "")
    assert table(counted.stdout) == [
        ["TIMED_OUT", "2", "can be queued again"],
        ["TIMED_OUT", "1", "cannot be queued again: the original is not kept"],
        ["WORKER_CRASHED", "1", "can be queued again"],
        ["all", "4"],
    ]
    as_json = [json.loads(line) for line in (await retry("--dry-run", "--json")).stdout.splitlines()]
    assert {"failure_code": "TIMED_OUT", "count": 2, "possible": True} in as_json
    assert sum(line["count"] for line in as_json) == 4

    crashed = await retry("--code", "worker_crashed", "--kind", "image", "--since", "1h")
    assert (crashed.returncode, crashed.stderr) == (0, "")
    assert table(crashed.stdout) == [["WORKER_CRASHED", "1", "queued again"], ["all", "1"]]
    rest = await retry()
    missing = "not queued again: ORIGINAL_MISSING: no original is stored; upload the file again"
    assert rest.returncode == 1
    assert table(rest.stdout) == [["TIMED_OUT", "1", missing], ["TIMED_OUT", "2", "queued again"], ["all", "3"]]
    again = await retry("--json")
    assert (again.returncode, json.loads(again.stdout)["error"]["reason"]) == (1, "ORIGINAL_MISSING")
    nothing = await retry("--before", "2020-01-01")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "no uploads\n")
    wrong = await retry("--code", "nonsense")
    assert wrong.returncode == 1
    assert "failure_codes" in wrong.stderr

    listed = await mediafleet("list", "--state", "failed", "--json", endpoint=address, token=TOKEN)
    assert [json.loads(line)["failure"]["code"] for line in listed.stdout.splitlines()] == ["TIMED_OUT"]


async def test_the_command_line_may_be_interrupted_and_run_again(
    reached: Reached, ledger: RedisLedger, client: AsyncClient
) -> None:
    for _ in range(100):
        await fail(ledger)
    address = str(reached.gateway.address)
    environment = {"PATH": "/nowhere", "MEDIAFLEET_ENDPOINT": address, "MEDIAFLEET_TOKEN": TOKEN}
    command = [sys.executable, "-m", "mediafleet", "retry", "--failed", "--json"]
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    first = await process.stdout.readline()
    assert json.loads(first)["progress"]["series"] == 2
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert "Interrupted. The same command goes on" in err.decode()
    assert process.returncode == -signal.SIGINT
    assert (await series(client))[1] > 0
    again = await mediafleet("retry", "--failed", endpoint=address, token=TOKEN)
    assert again.returncode == 0
    assert await series(client) == {2: 100}


@pytest.mark.parametrize("arguments", [["u-1", "--failed"], ["--dry-run"], ["u-1", "--kind", "image"]])
async def test_the_command_line_takes_ids_or_a_filter(arguments: list[str]) -> None:
    done = await mediafleet("retry", *arguments, endpoint="127.0.0.1:1")
    assert done.returncode == 2
    assert "--failed" in done.stderr


async def test_the_synchronous_client_has_the_same_call(reached: Reached, ledger: RedisLedger) -> None:
    await fail(ledger)

    def retry() -> int:
        with Client(str(reached.gateway.address), token=TOKEN) as client:
            return sum(outcome.error is None for outcome in client.retry_many())

    assert await asyncio.to_thread(retry) == 1
