"""GetUsage with many records, and a reconciliation with a bucket of as many objects.

The records are real; the bucket is an endpoint that lists their originals, each page of 1,000 after a pause. A gateway,
a worker and Redis are processes of their own.

Reference: the goal, a p99 of 5 ms for GetUsage.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from benchmarks.listed_s3 import SIZE
from benchmarks.pairs import quantile
from benchmarks.servers import Bench, Server, bench, s3_settings
from mediafleet import AsyncClient
from mediafleet.v1.usage_pb2 import Usage
from mediafleet_core.identity import TenantId, new_upload_id
from mediafleet_core.ledger import LedgerSettings, RedisLedger, connect
from mediafleet_core.media_types import MediaKind
from mediafleet_core.object_keys import UploadKeys
from mediafleet_core.ports import Original
from mediafleet_core.quotas import Limits
from mediafleet_core.uploads import UploadSpec
from mediafleet_devserver.redis_server import free_port
from tests.waiting import eventually

TENANTS = tuple(map(TenantId, ("acme", "beta", "local", "zoo")))
AT_ONCE = 64
_LIMITS = Limits(tenant_bytes=1 << 50, collection_bytes=1 << 50)


async def fill(ledger: RedisLedger, count: int) -> list[str]:
    """So many uploads, QUEUED and left alone; the keys of their originals."""
    for kind in MediaKind:
        await ledger.pause(kind, "benchmark")
    numbers, keys = iter(range(count)), []

    async def some() -> None:
        for number in numbers:
            tenant, upload_id = TENANTS[number % len(TENANTS)], new_upload_id()
            spec = UploadSpec(display_name="a.bin", size_bytes=SIZE, collection=f"c{number % 50}")
            await ledger.create(upload_id, tenant, spec, limits=_LIMITS, expires_in=timedelta(days=1), opened=True)
            original = Original(UploadKeys(tenant, upload_id).original(1), SIZE, 0)
            await ledger.finish(upload_id, 1, original, limits=_LIMITS, max_attempts=1)
            keys.append(original.key)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return sorted(keys)


async def timed(calls: int, at_once: int, call: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """Milliseconds of a call, p50 and p99."""
    left, times = iter(range(calls)), []

    async def caller() -> None:
        for _ in left:
            begun = time.perf_counter()
            await call()
            times.append((time.perf_counter() - begun) * 1000)

    await asyncio.gather(*(caller() for _ in range(at_once)))
    return statistics.median(times), quantile(times, 99)


async def refreshed(client: AsyncClient, seen: list[tuple[float, int]]) -> Usage:
    """The figures after a reconciliation; `seen` gets how many objects were listed after how many seconds."""
    begun = time.perf_counter()
    before = (await client.usage(whole_bucket=True)).reconcile_time
    asked = asyncio.create_task(client.usage(whole_bucket=True, refresh=True))
    while True:
        figures = await client.usage(whole_bucket=True)
        if figures.HasField("reconcile_progress"):
            seen.append((time.perf_counter() - begun, figures.reconcile_progress.objects_listed))
        elif figures.reconcile_time != before:
            seen.append((time.perf_counter() - begun, figures.objects))
            await asked
            return figures
        await asyncio.sleep(0.1)


async def measure(started: Bench, folder: Path, records: int, pause: float, calls: int) -> dict[str, object]:
    """Fill, serve, ask, reconcile."""
    ledger = await connect(LedgerSettings(ledger_url=started.redis.address))
    keys = folder / "keys"
    keys.write_text("\n".join(await fill(ledger, records)))
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "benchmarks.listed_s3", address, str(keys), str(pause)]
    bucket = started.start(command, address)
    gateway = started.gateway(bucket)
    found: dict[str, object] = {"records": records, "page_pause_ms": pause}
    async with AsyncClient(gateway.address) as client:
        await client.usage()
        scopes: dict[str, dict[str, object]] = {
            "tenant": {},
            "collection": {"collection": "c1"},
            "bucket": {"whole_bucket": True},
        }
        for name, scope in scopes.items():
            for at_once in (1, 8):

                async def call(scope: dict[str, object] = scope) -> Usage:
                    return await client.usage(**scope)  # type: ignore[arg-type]

                before = gateway.cpu()
                p50, p99 = await timed(calls, at_once, call)
                each = {"p50_ms": p50, "p99_ms": p99, "gateway_cpu_ms": 1000 * (gateway.cpu() - before) / calls}
                found[f"{name}, {at_once} at a time"] = {what: round(value, 2) for what, value in each.items()}
        _keep_house(started, bucket, folder)

        async def reconciled() -> bool:
            return (await client.usage(whole_bucket=True)).HasField("reconcile_time")

        await eventually(reconciled, 120, "the first reconciliation of a new fleet")
        seen: list[tuple[float, int]] = []
        figures = await refreshed(client, seen)
    pages = json.loads(await asyncio.to_thread(_read, f"http://{bucket.address}/_seen"))
    await ledger.close()
    progress = [f"{listed} after {seconds:.1f} s" for seconds, listed in seen[:: max(1, len(seen) // 5)]]
    return found | {
        "refresh_s": round(seen[-1][0], 2),
        "listings_at_once": pages["most"],
        "pages_of_two_reconciliations": pages["pages"],
        "drift": [figures.drift.bytes, figures.drift.objects],
        "progress": progress,
    }


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        read: bytes = answer.read()
        return read


def _keep_house(started: Bench, bucket: Server, folder: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    told = {
        "MEDIAFLEET_METRICS_ADDRESS": address,
        "MEDIAFLEET_LEDGER_URL": started.redis.address,
        "MEDIAFLEET_BROKER_URL": started.redis.address,
        "MEDIAFLEET_STORAGE": "s3",
        "MEDIAFLEET_SCRATCH_DIR": str(folder / "scratch"),
    }
    told |= {f"R2_{name}": value for name, value in s3_settings(bucket).items()}
    started.start([sys.executable, "-m", "mediafleet_workers"], address, told)


@click.command(help=__doc__)
@click.option("--records", default=100_000, show_default=True, help="Uploads in the ledger, objects in the bucket.")
@click.option("--pause", default=100.0, show_default=True, help="Milliseconds that the bucket takes for a page.")
@click.option("--calls", default=2_000, show_default=True, help="Of GetUsage for each figure.")
def main(records: int, pause: float, calls: int) -> None:
    """Measure and print."""
    with bench() as started, TemporaryDirectory(prefix="mediafleet-bench-") as folder:
        click.echo(json.dumps(asyncio.run(measure(started, Path(folder), records, pause, calls)), indent=2))


if __name__ == "__main__":
    main()
