"""A cancel ends an upload in any phase, leaves nothing behind, and stays; against a commit, one of the two wins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from mediafleet import FailedPrecondition
from mediafleet.v1 import uploads_pb2 as pb
from tests.cancelling import PHASES, Place, place
from tests.waiting import wait_until

EACH = 3
ROUNDS = range(30, 300)
"""Least and most rounds until both have won."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("cancel") / "data") as running:
        yield running


def deliver_again(here: Place) -> None:
    """Bells for all that workers do, and proof that they were heard: what comes after them is done."""
    for queue, name in (("image", "a.gif"), ("document", "a.pdf"), ("other", "a.bin")):
        for _ in range(3):
            here.admin.resume_queue(queue)  # rings
        content = b"GIF89a" + bytes(8) if queue == "image" else b"words"
        ended = here.client.upload(content, display_name=name, wait=True)
        assert ended.state in (pb.UPLOAD_STATE_SUCCEEDED, pb.UPLOAD_STATE_FAILED)


@pytest.mark.parametrize("phase", PHASES)
def test_nothing_is_left_of_a_cancelled_upload(here: Place, phase: str) -> None:
    cancelled = []
    for number in range(EACH):
        with PHASES[phase](here, number) as upload_id:
            answer = here.client.cancel(upload_id, reason="enough")
            assert answer.state in (pb.UPLOAD_STATE_CANCELLING, pb.UPLOAD_STATE_CANCELLED)
            wait_until(lambda: not here.left(upload_id), message="nothing to be left")
            cancelled.append(here.client.get(upload_id))
    deliver_again(here)
    for upload in cancelled:
        assert here.client.get(upload.upload_id) == upload
        assert (upload.progress.percent, upload.failure.code) == (100, "CANCELLED_BY_CALLER")
        assert here.client.cancel(upload.upload_id).state == pb.UPLOAD_STATE_CANCELLED
        kept = [] if phase == "receiving" else ["o/1"]  # for a retry
        wait_until(lambda: here.objects(upload.upload_id) == kept, message=f"{kept} to be left")  # noqa: B023


def cancel(here: Place, upload_id: str) -> str:
    """What it answers: the state, or the reason of the refusal with the state."""
    try:
        return pb.UploadState.Name(here.client.cancel(upload_id).state).removeprefix("UPLOAD_STATE_")
    except FailedPrecondition as error:
        return f"{error.reason} {error.metadata['state']}"


def test_of_a_cancel_and_a_commit_one_wins_and_the_answer_tells_which(here: Place) -> None:
    winners: Counter[str] = Counter()
    for number in range(ROUNDS.stop):
        upload_id = here.client.upload(b"%d" % number, display_name="race.bin").upload_id
        for _ in range(number):
            here.client.get(upload_id)  # the cancel comes ever later
        answer = cancel(here, upload_id)
        end = here.client.wait(upload_id)
        cancelled = end.state == pb.UPLOAD_STATE_CANCELLED
        assert cancelled == (answer in {"CANCELLED", "CANCELLING"})
        assert cancelled or (end.state, answer) == (pb.UPLOAD_STATE_SUCCEEDED, "UPLOAD_TERMINAL SUCCEEDED")
        assert end.failure.code == ("CANCELLED_BY_CALLER" if cancelled else "")
        kept = ["o/1"] if cancelled else ["manifest.json", "o/1"]
        wait_until(lambda: here.objects(upload_id) == kept, message=f"{kept} to be left")  # noqa: B023
        winners[answer] += 1
        if number >= ROUNDS.start and {"CANCELLING", "UPLOAD_TERMINAL SUCCEEDED"} <= winners.keys():
            return
    pytest.fail(f"always the same winner: {winners}")
