"""What is said of an upload in each state, and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from mediafleet_core.explaining.objects import ObjectRole, compared
from mediafleet_core.explaining.words import told
from mediafleet_core.failures import Failure, FailureCode
from mediafleet_core.fleet import Pause
from mediafleet_core.identity import TenantId, UploadId
from mediafleet_core.media_types import MediaKind
from mediafleet_core.ports import Standing, StoredObject
from mediafleet_core.progress import Progress
from mediafleet_core.uploads import State, Upload, UploadSpec

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
PREFIX = "uploads/ann/u/"


def upload(state: State, **more: Any) -> Upload:
    fields: dict[str, Any] = {
        "upload_id": UploadId("u"),
        "tenant": TenantId("ann"),
        "spec": UploadSpec(display_name="a.jpg"),
        "kind": MediaKind.IMAGE,
        "progress": Progress(stage="process", percent=70.0),
        "attempt": 2,
        "max_attempts": 3,
        "size_bytes": 10,
        "create_time": NOW - timedelta(hours=1),
        "finish_time": NOW if state.terminal else None,
        "revision": 1,
        "sequence": 1,
        "fence": 4,
    }
    return Upload(state=state, **fields | more)


def standing(of: Upload, **more: Any) -> Standing:
    fields: dict[str, Any] = {
        "changes": (),
        "attempts": (),
        "worker": "w-1",
        "lost": 0,
        "reserved_bytes": 0,
        "lease_end": None,
        "due_since": None,
        "ahead": 0,
        "waiting": 0,
        "pause": None,
        "tenant_running": 0,
        "tenant_most": 0,
        "workers": 1,
        "as_of": NOW,
    }
    return Standing(upload=of, **fields | more)


KEPT = {"original_key": f"{PREFIX}o/1", "expire_time": NOW + timedelta(days=7)}
CANCEL = Failure(code=FailureCode.CANCELLED_BY_CALLER, detail="a mistake")


@pytest.mark.parametrize(
    ("state", "record", "around", "said"),
    [
        (State.QUEUED, {}, {"due_since": NOW - timedelta(minutes=5), "waiting": 7}, ["for 5 minutes", "7 wait in all"]),
        (
            State.QUEUED,
            {},
            {"due_since": NOW, "tenant_running": 2, "tenant_most": 2},
            ["has 2 at work", "running_uploads"],
        ),
        (State.QUEUED, {}, {"due_since": NOW, "pause": Pause(NOW, "")}, ["paused since 2026-07-01", "resume image"]),
        (State.QUEUED, {}, {"due_since": NOW, "workers": 0}, ["No live worker", "MEDIAFLEET_WORKER_KINDS=IMAGE"]),
        (
            State.PROCESSING,
            {},
            {"lease_end": NOW + timedelta(seconds=3)},
            ["w-1 has it, attempt 2 of 3: process, 70 %"],
        ),
        (State.PROCESSING, {}, {"lease_end": NOW - timedelta(seconds=3)}, ["silent for 3 s", "another worker gets it"]),
        (State.PROCESSING, {}, {"lease_end": NOW - timedelta(minutes=3)}, ["3 minutes too long, and nobody took"]),
        (State.PROCESSING, {}, {"lost": 2}, ["was lost 2 times"]),
        (State.CANCELLING, {}, {}, ["cancelled while worker w-1 had it"]),
        (
            State.CANCELLED,
            {"failure": CANCEL, **KEPT},
            {},
            ["was cancelled", "a mistake", "kept until 2026-07-08", "retry u"],
        ),
        (State.CANCELLED, {"failure": CANCEL}, {}, ["No original is kept", "Upload the file again."]),
        (State.EXPIRED, {}, {}, ["not finished in time", "Upload the file again."]),
    ],
)
def test_each_state_is_told(state: State, record: dict[str, Any], around: dict[str, Any], said: list[str]) -> None:
    words = told(standing(upload(state, **record), **around), None, (), "")
    text = " ".join([*words.findings, *words.next_steps])
    assert [phrase for phrase in said if phrase not in text] == [], text
    assert words.next_steps or state is State.PROCESSING


def test_objects_are_held_against_the_record() -> None:
    done = upload(State.SUCCEEDED, original_key=f"{PREFIX}o/1")
    stored = [StoredObject(f"{PREFIX}o/1", 9, "e"), StoredObject(f"{PREFIX}r/2/small.jpg", 5, "e")]
    facts = compared(done, stored)
    assert [(fact.role, fact.sound) for fact in facts] == [
        (ObjectRole.MANIFEST, False),
        (ObjectRole.ORIGINAL, False),
        (ObjectRole.LEFT_OVER, True),
    ]
    text = " ".join(told(standing(done), None, facts, "").findings)
    for said in (
        "missing, or of another size: uploads/ann/u/o/1",
        "manifest is not written yet",
        "Left over from earlier attempts: 1",
    ):
        assert said in text


def test_what_is_under_way_is_not_left_over() -> None:
    at_work = upload(State.PROCESSING)
    [mine, older] = compared(
        at_work, [StoredObject(f"{PREFIX}r/4/a.jpg", 1, "e"), StoredObject(f"{PREFIX}r/3/a.jpg", 1, "e")]
    )[::-1]
    assert (mine.role, older.role) == (ObjectRole.RENDITION, ObjectRole.LEFT_OVER)
    receiving = msgspec.structs.replace(at_work, state=State.RECEIVING)
    assert compared(receiving, [StoredObject(f"{PREFIX}tail/2", 1, "e")])[0].role is ObjectRole.TAIL


def test_a_storage_in_trouble_is_told() -> None:
    words = told(standing(upload(State.SUCCEEDED)), None, (), "the signature is wrong: set both")
    assert any("could not be asked: the signature is wrong" in finding for finding in words.findings)
    assert words.next_steps == ("Run `mediafleet doctor` where the gateway runs.",)
