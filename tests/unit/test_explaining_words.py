"""What is said of an upload in each state, and what to do about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from mediafleet_core.explaining.asker import Asker
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
OWNER = Asker(TenantId("ann"), uploads=True, administers=False)
ADMIN = Asker(TenantId("root"), uploads=True, administers=True)
READER = Asker(TenantId("ann"), uploads=False, administers=False)
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
        (
            State.QUEUED,
            {},
            {"due_since": NOW - timedelta(minutes=5), "waiting": 7},
            ["for 5 minutes", "6 wait beside it"],
        ),
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
        (State.CANCELLED, {"failure": CANCEL}, {}, ["No original is kept", "Upload the file again if"]),
        (State.EXPIRED, {}, {}, ["not finished in time", "Upload the file again."]),
    ],
)
def test_each_state_is_told(state: State, record: dict[str, Any], around: dict[str, Any], said: list[str]) -> None:
    words = told(standing(upload(state, **record), **around), None, (), "", OWNER)
    text = " ".join([*words.findings, *words.next_steps])
    assert [phrase for phrase in said if phrase not in text] == [], text
    assert words.next_steps or state is State.PROCESSING


PAUSED = standing(upload(State.QUEUED), due_since=NOW, waiting=1, pause=Pause(NOW, ""))
RECEIVED = standing(upload(State.RECEIVING))
DENIED = standing(upload(State.FAILED, failure=Failure(code=FailureCode.STORAGE_DENIED), **KEPT))


@pytest.mark.parametrize(
    ("about", "step"),
    [
        (PAUSED, "When the reason is gone, `mediafleet resume image`"),
        (RECEIVED, "Send the rest"),
        (DENIED, "When the cause is mended, `mediafleet retry u`"),
    ],
)
def test_advice_that_only_others_can_follow_names_them(about: Standing, step: str) -> None:
    def advice(asker: Asker) -> str:
        found = [each for each in told(about, None, (), "", asker).next_steps if step in each]
        return found[0].partition(step)[0]

    for_others = "For an administrator: " if about is PAUSED else "For whoever has a token of the tenant ann"
    mine = ADMIN if about is PAUSED else OWNER
    assert advice(mine) == ""
    for other in {OWNER, ADMIN, READER} - {mine}:
        assert advice(other).startswith(for_others)


@pytest.mark.parametrize("kept", [KEPT, {}])
@pytest.mark.parametrize("code", list(FailureCode))
def test_a_retry_is_advised_where_it_can_help(code: FailureCode, kept: dict[str, Any]) -> None:
    failure = Failure(code=code)
    words = told(standing(upload(State.FAILED, failure=failure, **kept)), None, (), "", OWNER)
    assert words.next_steps[0] == failure.next_step(stored=bool(kept))
    assert any("retry u" in step for step in words.next_steps) is (bool(kept) and failure.rule.retryable)
    # The table never says "retry" of bytes that cannot succeed or are gone.
    assert not ("Retry" in words.next_steps[0] and not (kept and failure.rule.retryable))
    assert failure.rule.retryable or "upload" in words.next_steps[0].lower() or code is FailureCode.MALWARE_FOUND


def test_objects_are_held_against_the_record() -> None:
    done = upload(State.SUCCEEDED, original_key=f"{PREFIX}o/1")
    stored = [StoredObject(f"{PREFIX}o/1", 9, "e"), StoredObject(f"{PREFIX}r/2/small.jpg", 5, "e")]
    facts = compared(done, stored)
    assert [(fact.role, fact.sound) for fact in facts] == [
        (ObjectRole.MANIFEST, False),
        (ObjectRole.ORIGINAL, False),
        (ObjectRole.LEFT_OVER, True),
    ]
    text = " ".join(told(standing(done), None, facts, "", OWNER).findings)
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
    words = told(standing(upload(State.SUCCEEDED)), None, (), "the signature is wrong: set both", OWNER)
    assert any("could not be asked: the signature is wrong" in finding for finding in words.findings)
    assert words.next_steps == ("Run `mediafleet doctor` where the gateway runs.",)
