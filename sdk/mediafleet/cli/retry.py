"""`mediafleet retry`: of some uploads, or of all that failed."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import click

from mediafleet.cli import interrupts
from mediafleet.cli.connection import ENDURING, Connection, connected
from mediafleet.cli.filters import filtered

if TYPE_CHECKING:
    from mediafleet.client import Client
    from mediafleet.many import RetryOutcome
    from mediafleet.v1.uploads_pb2 import Upload, UploadFilter

KEPT, NOT_KEPT = "can be queued again", "cannot be queued again: the original is not kept"
AGAIN = "queued again"

_PAGE = 1000
"""Uploads asked for at a time when they are only counted."""


@click.command(no_args_is_help=True, short_help="Queue failed or cancelled uploads again.")
@click.argument("upload_ids", nargs=-1, metavar="[ID]...")
@click.option("--failed", is_flag=True, help="All that FAILED, as far as the filters below cover them.")
@click.option("--dry-run", is_flag=True, help="With --failed: count them, queue none.")
@filtered
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line; no bar.")
@connected(ENDURING)
def retry(
    connection: Connection,
    upload_ids: tuple[str, ...],
    failed: bool,
    dry_run: bool,
    which: UploadFilter,
    as_json: bool,
) -> None:
    """Queue failed or cancelled uploads again, by ID, or with --failed all that failed.

    With --failed each is queued once, oldest first. Interrupted, or run again, it goes on with those that are left:
    what is queued again is FAILED no more.

    Exit code 0 if every one was queued, 1 if any cannot be.
    """
    if failed == bool(upload_ids):
        raise click.UsageError("give either IDs or --failed")
    if not failed and (dry_run or which.ListFields()):
        raise click.UsageError("--dry-run and filters need --failed")
    with connection.client() as client:
        if failed:
            _retry_failed(client, which, dry_run, as_json)
        else:
            from mediafleet.cli.uploads import print_each

            print_each(upload_ids, client.retry, as_json)


def _retry_failed(client: Client, which: UploadFilter, dry_run: bool, as_json: bool) -> None:
    from mediafleet.v1.uploads_pb2 import UploadState

    which.states.append(UploadState.UPLOAD_STATE_FAILED)
    matching = Counter(map(_possible, client.list(which, order_by="create_time", page_size=_PAGE)))
    if not matching:
        if not as_json:
            click.echo("no uploads", err=True)
    elif dry_run:
        _show(matching, as_json)
    else:
        _queue_again(client, which, matching.total(), as_json)


def _queue_again(client: Client, which: UploadFilter, total: int, as_json: bool) -> None:
    from mediafleet.cli.bars import counting

    done: Counter[tuple[str, str]] = Counter()
    try:
        with interrupts.told(), counting(AGAIN, total, enabled=not as_json) as count:
            for outcome in client.retry_many(which):
                done[outcome.found.failure.code, _result(outcome)] += 1
                count()
                if as_json:
                    _print_json(outcome)
    except KeyboardInterrupt:
        click.echo("Interrupted. The same command goes on with those that are left.", err=True)
        raise
    finally:
        if done and not as_json:
            _show(done, as_json=False)
    if any(result != AGAIN for _, result in done):
        raise click.exceptions.Exit(1)


def _possible(upload: Upload) -> tuple[str, str]:
    return upload.failure.code, KEPT if upload.HasField("expire_time") else NOT_KEPT


def _result(outcome: RetryOutcome) -> str:
    return f"not {AGAIN}: {outcome.error.reason}: {outcome.error.message}" if outcome.error else AGAIN


def _show(counts: Counter[tuple[str, str]], as_json: bool) -> None:
    from mediafleet.cli.output import grid, show
    from mediafleet.cli.text import plain

    if as_json:
        for (code, result), count in sorted(counts.items()):
            click.echo(json.dumps({"failure_code": code, "count": count, "possible": result == KEPT}))
        return
    table = grid("failure", "count", "result")
    for (code, result), count in sorted(counts.items()):
        table.add_row(plain(code), str(count), plain(result))
    table.add_row("all", str(counts.total()), "")
    show(table)


def _print_json(outcome: RetryOutcome) -> None:
    from mediafleet.cli.json_lines import json_line, json_refusal

    if outcome.upload:
        json_line(outcome.upload)
    elif outcome.error:
        json_refusal(outcome.error, upload_id=outcome.found.upload_id)
