"""`mediafleet explain` and its RPC tell why an upload is where it is, in each state, and what to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import google_crc32c
import grpc
import pytest
from click.testing import CliRunner
from google.rpc.error_details_pb2 import BadRequest

from mediafleet.cli import cli
from mediafleet.v1.fleet_pb2 import ExplainUploadRequest, ObjectRole, UploadExplanation
from mediafleet.v1.fleet_pb2_grpc import FleetServiceStub
from mediafleet.v1.uploads_pb2 import UploadState
from mediafleet_core.batches import BatchSpec
from mediafleet_core.errors import Reason
from mediafleet_core.failures import FailureCode
from mediafleet_core.identity import new_batch_id, new_upload_id
from mediafleet_core.ledger import RedisLedger
from mediafleet_core.media_types import MediaKind
from mediafleet_core.uploads import UploadSpec
from tests.gateways import ANN, BOB, Metadata, Reached, bearer, create, refused, upload
from tests.ledgers import ANN as ANN_TENANT
from tests.ledgers import SPEC, claimed, failed, ledger_at, outcome, queued

OWNER = bearer("ann", ("read", "upload", "cancel"))


@pytest.fixture
async def ledger(redis_url: str, reached: Reached) -> AsyncIterator[RedisLedger]:
    """The gateway's, to bring uploads into states."""
    async with ledger_at(redis_url) as ledger:
        yield ledger


async def explained(reached: Reached, upload_id: str, metadata: Metadata = ANN) -> UploadExplanation:
    request = ExplainUploadRequest(upload_id=upload_id)
    stub = FleetServiceStub(reached.channel)
    return (await stub.ExplainUpload(request, metadata=metadata)).explanation


def says(explanation: UploadExplanation, *words: str) -> bool:
    said = " ".join([*explanation.findings, *explanation.next_steps])
    missing = [word for word in words if word not in said]
    assert not missing, said
    return True


async def test_receiving(reached: Reached) -> None:
    made = await create(reached, size_bytes=10)
    explanation = await explained(reached, made.upload_id)
    assert says(explanation, "0 of 10 bytes", "expires in", "mediafleet upload")
    assert explanation.reserved_bytes == 10
    assert [past.state for past in explanation.history] == [UploadState.UPLOAD_STATE_RECEIVING]


async def test_waiting_behind_others_in_a_queue_that_is_paused(reached: Reached, ledger: RedisLedger) -> None:
    first = await queued(ledger)
    second = await queued(ledger)
    await ledger.pause(MediaKind.IMAGE, "broken codec")
    explanation = await explained(reached, second.upload_id, OWNER)
    place = explanation.queue_place
    assert (place.queue, place.ahead, place.waiting, place.workers) == ("image", 1, 2, 0)
    assert (place.paused, place.pause_reason) == (True, "broken codec")
    assert says(explanation, "1 of its tenant's", "1 wait beside it", "broken codec", "No live worker")
    resume = "When the reason is gone, `mediafleet resume image` hands out its work again."
    assert f"For an administrator: {resume}" in explanation.next_steps
    assert resume in (await explained(reached, second.upload_id, ANN)).next_steps
    # What the record names is not there: these uploads have no bytes.
    assert [each.present for each in explanation.objects] == [False]
    assert (await explained(reached, first.upload_id)).queue_place.ahead == 0


async def test_at_work_and_waiting_for_the_next_attempt(reached: Reached, ledger: RedisLedger) -> None:
    waiting = await queued(ledger)
    claim = await claimed(ledger)
    explanation = await explained(reached, waiting.upload_id)
    assert explanation.lease.worker == "w"
    assert explanation.lease.expire_time.ToDatetime() > explanation.as_of_time.ToDatetime()
    assert not explanation.HasField("queue_place")
    assert says(explanation, "Worker w has it, attempt 1 of 3", "mediafleet watch")

    await ledger.fail_attempt(
        claim.upload.upload_id, claim.fence, failed(FailureCode.TIMED_OUT, 2, timedelta(minutes=5))
    )
    explanation = await explained(reached, waiting.upload_id)
    assert says(explanation, "Attempt 1 of 2 failed: TIMED_OUT", "The next attempt is due in 5 minutes", "by itself")
    assert [(tried.code, tried.worker) for tried in explanation.attempts] == [("TIMED_OUT", "w")]
    assert [past.failure_code for past in explanation.history][-1] == "TIMED_OUT"


async def test_a_retry_is_advised_to_who_may(reached: Reached, ledger: RedisLedger) -> None:
    waiting = await queued(ledger)
    claim = await claimed(ledger)
    await ledger.fail_attempt(claim.upload.upload_id, claim.fence, failed(FailureCode.STORAGE_DENIED, 1))
    retry = f"When the cause is mended, `mediafleet retry {waiting.upload_id}` queues it again."
    explanation = await explained(reached, waiting.upload_id, OWNER)
    assert explanation.upload.failure.retryable
    assert retry in explanation.next_steps
    for other in (bearer("ann", ("read",)), bearer("root", ("read", "upload", "admin"))):
        steps = (await explained(reached, waiting.upload_id, other)).next_steps
        assert retry not in steps
        assert f"For whoever has a token of the tenant ann with the scope `upload`: {retry}" in steps


async def test_failed_in_a_batch(reached: Reached, ledger: RedisLedger) -> None:
    batch = await ledger.create_batch(new_batch_id(), ANN_TENANT, BatchSpec(display_name="summer"))
    spec = UploadSpec(display_name="a.jpg", content_type="image/jpeg", size_bytes=10, batch_id=batch.batch_id)
    waiting = await queued(ledger, spec)
    claim = await claimed(ledger)
    await ledger.fail_attempt(claim.upload.upload_id, claim.fence, failed(FailureCode.CORRUPT_MEDIA, 1))
    explanation = await explained(reached, waiting.upload_id)
    assert says(explanation, "CORRUPT_MEDIA: The file is damaged", "batch summer, OPEN: 1 of 1 have ended")
    assert "retry" not in " ".join(explanation.next_steps)
    assert not explanation.upload.failure.retryable
    assert explanation.batch.batch_id == batch.batch_id


async def test_succeeded_with_a_rendition_that_is_gone(reached: Reached, ledger: RedisLedger) -> None:
    made = await upload(reached, b"picture", display_name="a.jpg", content_type="image/jpeg")
    claim = await claimed(ledger)
    await ledger.commit(claim.upload.upload_id, claim.fence, outcome())
    explanation = await explained(reached, made.upload_id)
    roles = {each.role: (each.present, each.size_bytes) for each in explanation.objects}
    assert roles[ObjectRole.OBJECT_ROLE_ORIGINAL] == (True, 7)
    assert roles[ObjectRole.OBJECT_ROLE_RENDITION] == (False, 0)
    assert says(explanation, "It succeeded", "these are missing, or of another size", "manifest is not written yet")


async def test_who_may_ask_for_what(reached: Reached, ledger: RedisLedger) -> None:
    mine = await queued(ledger, SPEC)
    with refused(grpc.StatusCode.NOT_FOUND, Reason.UPLOAD_NOT_FOUND):
        await explained(reached, mine.upload_id, bearer("bob", ("read",)))
    with refused(grpc.StatusCode.NOT_FOUND, Reason.UPLOAD_NOT_FOUND):
        await explained(reached, new_upload_id())
    with refused(grpc.StatusCode.INVALID_ARGUMENT, Reason.FIELD_INVALID, BadRequest) as malformed:
        await explained(reached, "u-1")
    assert malformed.fields == {"upload_id"}
    with refused(grpc.StatusCode.PERMISSION_DENIED, Reason.SCOPE_MISSING):
        await explained(reached, mine.upload_id, bearer("ann", ("upload",)))
    assert (await explained(reached, mine.upload_id, BOB)).upload.tenant == "ann"  # an administrator


async def test_evidence_is_for_administrators(reached: Reached, ledger: RedisLedger) -> None:
    waiting = await queued(ledger)
    told = failed(FailureCode.WORKER_CRASHED, 1)
    record = type(told.record)(time=told.record.time, code=told.code, worker="w", stage="process", evidence="SIGSEGV")
    claim = await claimed(ledger)
    await ledger.fail_attempt(claim.upload.upload_id, claim.fence, told._replace(record=record))
    assert [each.evidence for each in (await explained(reached, waiting.upload_id)).attempts] == ["SIGSEGV"]
    assert [each.evidence for each in (await explained(reached, waiting.upload_id, OWNER)).attempts] == [""]


async def test_the_command_line(reached: Reached, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"words"
    made = await upload(reached, content, display_name="a\x1b[31m.txt".replace("\x1b", ""))
    monkeypatch.setenv("MEDIAFLEET_ENDPOINT", str(reached.gateway.address))
    monkeypatch.setenv("MEDIAFLEET_TOKEN", OWNER[0][1].removeprefix("Bearer "))

    async def run(*arguments: str) -> tuple[int, str]:
        done = await asyncio.to_thread(CliRunner().invoke, cli, ["explain", *arguments])
        return done.exit_code, done.output

    status, shown = await run(made.upload_id)
    assert status == 0, shown
    for said in ("It waits in the queue other", "what to do", "history", "RECEIVING", "QUEUED", "objects", "/o/1"):
        assert said in shown
    status, shown = await run(made.upload_id, "--json")
    as_json = json.loads(next(line for line in shown.splitlines() if line.startswith("{")))
    assert as_json["upload"]["checksums"]["crc32c"] == google_crc32c.value(content)
    assert await run(str(new_upload_id())) == (
        1,
        "mediafleet: UPLOAD_NOT_FOUND: no such upload; `mediafleet list` shows the uploads there are\n",
    )
    status, shown = await run("u-1")
    assert (status, "must be a UUID" in shown) == (1, True)
