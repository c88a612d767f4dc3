"""Where an upload stands, in sentences: what is the matter, and what to do next. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from mediafleet_core.batches import Batch
from mediafleet_core.explaining.asker import Asker
from mediafleet_core.explaining.objects import ObjectFact, ObjectRole
from mediafleet_core.failures import Failure
from mediafleet_core.ports import Standing
from mediafleet_core.uploads import State

_STALE = timedelta(seconds=30)
"""After the end of a lease by which housekeeping has long given the work to another."""


class Words(NamedTuple):
    """What is the matter, and what to do."""

    findings: tuple[str, ...]
    next_steps: tuple[str, ...]


class _Line(NamedTuple):
    finding: str = ""
    step: str = ""


def told(standing: Standing, batch: Batch | None, objects: Sequence[ObjectFact], trouble: str, asker: Asker) -> Words:
    """The sentences, the most important first."""
    lines = [*_BY_STATE[standing.upload.state](standing, asker), *_about_objects(standing, objects)]
    if standing.lost:
        lines.append(_Line(f"Work on it was lost {_times(standing.lost)} with its worker or sandbox."))
    if batch is not None:
        name = batch.spec.display_name or batch.batch_id
        lines.append(
            _Line(f"It belongs to the batch {name}, {batch.state}: {batch.ended} of {batch.total} have ended.")
        )
    if trouble:
        lines.append(
            _Line(f"The storage could not be asked: {trouble}.", "Run `mediafleet doctor` where the gateway runs.")
        )
    return Words(
        tuple(line.finding for line in lines if line.finding),
        tuple(dict.fromkeys(line.step for line in lines if line.step)),
    )


def _receiving(standing: Standing, asker: Asker) -> Iterator[_Line]:
    upload = standing.upload
    of = f" of {upload.size_bytes}" if upload.size_bytes is not None else ""
    yield _Line(
        f"It is being received: {upload.committed_size}{of} bytes are durable.",
        asker.uploading("Send the rest; the same `mediafleet upload` goes on where it was.", upload.tenant),
    )
    if upload.expire_time is not None:
        yield _Line(f"Unless it is finished it expires {_when(upload.expire_time, standing.as_of)}.")


def _queued(standing: Standing, asker: Asker) -> Iterator[_Line]:
    upload, queue = standing.upload, standing.upload.kind.lower()
    if upload.failure is not None:
        # The record counts the attempt that is to come.
        yield _Line(f"Attempt {upload.attempt - 1} of {upload.max_attempts} failed: {_why(upload.failure)}")
    if upload.next_attempt_time is not None and upload.next_attempt_time > standing.as_of:
        when = _when(upload.next_attempt_time, standing.as_of)
        yield _Line(f"The next attempt is due {when}.", "Nothing: it is tried again by itself.")
    elif standing.due_since is not None:
        yield _Line(
            f"It waits in the queue {queue} for {_span(standing.as_of - standing.due_since)}: {standing.ahead} of its "
            f"tenant's uploads with the same priority are ahead of it, and {standing.waiting - 1} wait beside "
            "it in all."
        )
    yield from _held_up(standing, queue, asker)


def _held_up(standing: Standing, queue: str, asker: Asker) -> Iterator[_Line]:
    if standing.pause is not None:
        reason = f": {standing.pause.reason}" if standing.pause.reason else ""
        yield _Line(
            f"The queue is paused since {_at(standing.pause.since)}{reason}.",
            asker.operating(f"When the reason is gone, `mediafleet resume {queue}` hands out its work again."),
        )
    if not standing.workers:
        yield _Line(
            f"No live worker serves the queue {queue}.",
            asker.operating(
                f"Start workers with MEDIAFLEET_WORKER_KINDS={queue.upper()}; `mediafleet fleet` shows those there are."
            ),
        )
    elif standing.tenant_most and standing.tenant_running >= standing.tenant_most:
        yield _Line(
            f"Its tenant has {standing.tenant_running} at work, and may have no more at once.",
            "Wait until they are done.",
        )
        yield _Line(step=asker.operating("Raise running_uploads of the tenant in MEDIAFLEET_TENANTS to have more."))
    elif standing.pause is None and standing.due_since is not None:
        yield _Line(step="Nothing: workers take it in its turn.")
        if asker.administers:
            yield _Line(step="`mediafleet fleet` shows what they do.")


def _processing(standing: Standing, asker: Asker) -> Iterator[_Line]:
    upload = standing.upload
    stage = " ".join(filter(None, (upload.progress.stage, upload.progress.step)))
    yield _Line(
        f"Worker {standing.worker or '(unknown)'} has it, attempt {upload.attempt} of {upload.max_attempts}: "
        f"{stage or 'begun'}, {upload.progress.percent:.0f} %."
    )
    if standing.lease_end is None:
        return
    over = standing.as_of - standing.lease_end
    if over <= timedelta(0):
        yield _Line(step="Nothing: the worker gives signs of life. `mediafleet watch` follows it.")
    elif over < _STALE:
        yield _Line(f"The worker has been silent for {_span(over)} too long.", "Nothing: another worker gets it now.")
    else:
        yield _Line(
            f"The worker has been silent for {_span(over)} too long, and nobody took the work from it.",
            asker.operating("See by `mediafleet fleet` whether any worker lives: all of them keep house."),
        )


def _cancelling(standing: Standing, asker: Asker) -> Iterator[_Line]:
    yield _Line(
        f"It was cancelled while worker {standing.worker or '(unknown)'} had it, which is being told.",
        "Nothing: it is CANCELLED within a second, or when the lease of a dead worker ends.",
    )


def _succeeded(standing: Standing, asker: Asker) -> Iterator[_Line]:
    upload = standing.upload
    yield _Line(
        f"It succeeded {_at(upload.finish_time)}, in attempt {upload.attempt} of {upload.max_attempts}, "
        f"with {len(upload.renditions)} renditions."
    )


def _ended(standing: Standing, asker: Asker) -> Iterator[_Line]:
    """FAILED or CANCELLED."""
    upload, failure, kept = standing.upload, standing.upload.failure, bool(standing.upload.original_key)
    word = "failed" if upload.state is State.FAILED else "was cancelled"
    yield _Line(f"It {word} {_at(upload.finish_time)}" + (f": {_why(failure)}" if failure is not None else "."))
    if failure is not None:
        yield _Line(step=failure.next_step(stored=kept))
    if not kept:
        yield _Line("No original is kept, so that it cannot be retried.")
        return
    yield _Line("Its original is kept" + (f" until {_at(upload.expire_time)}." if upload.expire_time else "."))
    if failure is None or failure.rule.retryable:
        when = "When the cause is mended, " if upload.state is State.FAILED else ""
        retry = f"{when}`mediafleet retry {upload.upload_id}` queues it again."
        yield _Line(step=asker.uploading(retry, upload.tenant))


def _expired(standing: Standing, asker: Asker) -> Iterator[_Line]:
    yield _Line(
        f"It was not finished in time and expired {_at(standing.upload.finish_time)}; its bytes are gone.",
        "Upload the file again.",
    )


_BY_STATE = {
    State.RECEIVING: _receiving,
    State.QUEUED: _queued,
    State.PROCESSING: _processing,
    State.CANCELLING: _cancelling,
    State.SUCCEEDED: _succeeded,
    State.FAILED: _ended,
    State.CANCELLED: _ended,
    State.EXPIRED: _expired,
}


def _about_objects(standing: Standing, objects: Sequence[ObjectFact]) -> Iterator[_Line]:
    lost = [fact for fact in objects if not fact.sound and fact.role is not ObjectRole.MANIFEST]
    if lost:
        yield _Line(
            f"In the storage these are missing, or of another size: {', '.join(fact.key for fact in lost[:5])}.",
            "Upload the file again, and look for who else deletes in the bucket: `mediafleet doctor` shows its rules.",
        )
    if any(not fact.present and fact.role is ObjectRole.MANIFEST for fact in objects):
        yield _Line("Its manifest is not written yet.", "Nothing: housekeeping writes it.")
    left = sum(fact.role is ObjectRole.LEFT_OVER for fact in objects)
    if left and standing.upload.state.terminal:
        yield _Line(f"Left over from earlier attempts: {left}; a sweep removes that within minutes.")


def _why(failure: Failure) -> str:
    return " ".join(filter(None, (f"{failure.code}: {failure.rule.message}", failure.detail)))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _at(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time is not None else "at an unknown time"


def _when(time: datetime, now: datetime) -> str:
    return f"in {_span(time - now)}, at {_at(time)}"


def _span(span: timedelta) -> str:
    seconds = max(0.0, span.total_seconds())
    for unit, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
