"""`mediafleet doctor`: what is wrong, and how it is mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from mediafleet.cli import interrupts
from mediafleet.cli.connection import BRIEF, LONGEST, endpoints, resolve

if TYPE_CHECKING:
    from mediafleet.cli.doctor.findings import Check, Finding
    from mediafleet.cli.doctor.printing import Printer

GROUP = "mediafleet.doctor"
"""Entry points, of each distribution that is installed: functions that take the origin of a page and give checks."""

ELSEWHERE = "elsewhere"
"""Title of the check, any distribution's, that says where Redis and storage are looked at."""

POD = "kubectl exec deploy/mediafleet-gateway -- mediafleet doctor"
"""How to have them looked at there."""


def page_origin(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Reads an option that names where a page comes from, as its browser does."""
    origin = value.rstrip("/")
    try:
        scheme, host, *rest = urlsplit(origin)
    except ValueError:
        scheme = host = ""
    if origin and (scheme not in ("http", "https") or not host or any(rest)):
        raise click.BadParameter(f"{value!r} is no origin such as https://app.example.com", ctx, param)
    return origin


@click.command()
@click.option(
    "--endpoint",
    envvar="MEDIAFLEET_ENDPOINT",
    show_envvar=True,
    metavar="HOST:PORT",
    callback=endpoints,
    help="Gateway; https://HOST:PORT for TLS. Several, separated by commas, are looked at in turn.",
)
@click.option(
    "--token", envvar="MEDIAFLEET_TOKEN", show_envvar=True, help="Bearer token; better set in the environment."
)
@click.option(
    "--endpoints-file",
    envvar="MEDIAFLEET_ENDPOINTS_FILE",
    show_envvar=True,
    type=click.Path(path_type=Path),
    help="Of `mediafleet dev`; the one in this folder is found by itself.",
)
@click.option(
    "--timeout",
    default=BRIEF,
    show_default=True,
    type=click.FloatRange(min=0.1, max=LONGEST),
    help="Seconds for a call.",
)
@click.option(
    "--origin",
    default="",
    callback=page_origin,
    metavar="URL",
    help="Of a page that sends direct uploads, such as https://app.example.com: asks the bucket as its browser would.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="CHECK",
    help="Only this check, such as gateway (with token, versions and clock) or storage; may be repeated. "
    "A wrong name lists those there are.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, as each is found.")
def doctor(
    endpoint: list[str],
    token: str | None,
    endpoints_file: Path | None,
    timeout: float,
    origin: str,
    only: tuple[str, ...],
    as_json: bool,
) -> None:
    """Look for what is wrong, and tell how to mend it.

    Anywhere it looks at the gateway from outside: reach, token, version, clock. Where a gateway or worker runs it looks
    at settings, Redis, storage and decoders too: kubectl exec deploy/mediafleet-gateway -- mediafleet doctor. What it
    tries in the bucket lies below check/doctor/ and is removed again.

    Exit code 0 if nothing FAILED, 1 if anything did.
    """
    from mediafleet.cli.doctor.printing import Printer

    checks = _checks(endpoint, token, endpoints_file, timeout, origin)
    printer = Printer(as_json=as_json)
    counts = interrupts.run(_run(_chosen(checks, only) if only else checks, printer))
    printer.sum_up(counts)
    if counts["failed"]:
        raise click.exceptions.Exit(1)


def _chosen(checks: list[Check], only: Sequence[str]) -> list[Check]:
    wanted = {name.lower(): name for name in only}
    titles = [check.title for check in checks]
    if unknown := [name for title, name in wanted.items() if title not in titles]:
        here = ", ".join(title for title in titles if title != ELSEWHERE)
        said = f"there is no check {', '.join(map(repr, unknown))} here; there are {here}"
        if ELSEWHERE in titles:
            said += f". Redis and storage are checked where a gateway or worker runs: {POD}"
        raise click.UsageError(said)
    return [check for check in checks if check.title in wanted]


async def _run(checks: list[Check], printer: Printer) -> Counter[str]:
    from mediafleet.cli.doctor.findings import FAILED, Found

    counts: Counter[str] = Counter()
    for check in checks:
        with printer.looking_at(check.title):
            try:
                async for finding in check.run():
                    counts[finding.status] += 1
                    printer.show(finding)
            except Exception as error:
                counts[FAILED] += 1
                text = f"the check itself failed ({type(error).__name__}: {error})"
                printer.show(Found(check.title, FAILED, text, "tell this, with the versions, to who makes mediafleet"))
    return counts


def _checks(
    endpoint: list[str], token: str | None, endpoints_file: Path | None, timeout: float, origin: str
) -> list[Check]:
    """The client's, and those of every distribution that is installed; a gateway has to be named if there is none."""
    from mediafleet.cli.doctor.client import ClientExam
    from mediafleet.cli.doctor.findings import Own

    installed = list(_installed(origin))
    connection = resolve(endpoint, token, endpoints_file, timeout)
    if connection.absent and (endpoints_file or not installed):
        raise click.UsageError(connection.absent)
    return [Own("gateway", ClientExam(connection).run), *(installed or [Own(ELSEWHERE, _elsewhere)])]


def _installed(origin: str) -> Iterator[Check]:
    # All are imported before the first one begins: by then every setting is known.
    for checks in [entry.load() for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name)]:
        yield from checks(origin)


async def _elsewhere() -> AsyncIterator[Finding]:
    from mediafleet.cli.doctor.findings import SKIPPED, Found

    yield Found(
        "settings, storage",
        SKIPPED,
        "neither a gateway nor a worker is installed here",
        f"run it in their pods: {POD}",
    )
