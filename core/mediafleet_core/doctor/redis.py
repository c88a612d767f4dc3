"""Whether Redis is one that the ledger can live in, and whether anybody works for it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from importlib.metadata import version
from typing import Any

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from mediafleet_core.doctor.findings import Finding, failed, ok, skipped, warning
from mediafleet_core.fleet import WorkerSign
from mediafleet_core.ledger import LedgerSettings
from mediafleet_core.media_types import MediaKind
from mediafleet_core.queue import QueueSettings
from mediafleet_core.settings import SettingsError, read

_OLDEST = (6, 2)
_PATIENCE = 5.0
_SKEW_WARNED, _SKEW_FAILED = 1.0, 5.0
"""Seconds: leases and retries are times of Redis, tokens and signatures are times of the others."""

_FULL = 0.8
Info = Mapping[str, Any]


async def examine() -> AsyncIterator[Finding]:
    """The ledger's Redis, then the broker's."""
    try:
        settings, queue = read(LedgerSettings), read(QueueSettings)
    except SettingsError:
        return  # the settings' own check tells
    async with _client(settings.ledger_url) as redis:
        try:
            began = time.perf_counter()
            await redis.ping()
            took = time.perf_counter() - began
            info: Info = await redis.info("all")
        except (RedisError, OSError) as error:
            yield _unreachable("redis", "MEDIAFLEET_LEDGER_URL", error)
            return
        yield _version(info, took)
        yield _role(info)
        for finding in (_log(info), await _fsync(redis), _eviction(info), _memory(info), await _clock(redis)):
            yield finding
        yield await _broker(queue, settings, str(info.get("run_id")))
        async for finding in _workers(redis, settings.ledger_prefix):
            yield finding


def _client(url: str) -> Redis:
    client: Redis = Redis.from_url(
        url,
        decode_responses=True,
        protocol=2,
        socket_timeout=_PATIENCE,
        socket_connect_timeout=_PATIENCE,
        retry=Retry(NoBackoff(), 0),
    )
    return client


def _unreachable(name: str, variable: str, error: Exception) -> Finding:
    if isinstance(error, AuthenticationError) or "NOAUTH" in str(error) or "NOPERM" in str(error):
        return failed(name, "it refuses the user or the password", f"put right ones into {variable}")
    return failed(
        name, f"it does not answer ({type(error).__name__})", f"check {variable}, that Redis runs, and the network"
    )


def _version(info: Info, took: float) -> Finding:
    found = str(info.get("redis_version", ""))
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if numbers < _OLDEST:
        return failed("redis", f"version {found} is too old", "take Redis or Valkey 6.2 or newer")
    return ok("redis", f"version {found}, answers in {took * 1000:.1f} ms")


def _role(info: Info) -> Finding:
    if info.get("redis_mode") == "cluster":
        return failed("redis role", "it is a cluster", "name one primary: steps reach over many keys")
    if info.get("role") != "master":
        return failed("redis role", "it is a replica, and takes no steps", "let the name lead to the primary")
    return ok("redis role", f"primary, {info.get('connected_slaves', 0)} replicas")


def _log(info: Info) -> Finding:
    if not info.get("aof_enabled"):
        return failed("redis persistence", "what is acknowledged is only in memory", "start Redis with appendonly yes")
    if info.get("aof_last_write_status") != "ok":
        return failed("redis persistence", "its log cannot be written", "make room on its disk, and see its log")
    if info.get("rdb_last_bgsave_status") != "ok":
        return warning("redis persistence", "its last snapshot failed", "give it disk and memory for a fork")
    return ok("redis persistence", "append-only log, written")


async def _fsync(redis: Redis) -> Finding:
    try:
        policy = (await redis.config_get("appendfsync")).get("appendfsync", "")
    except ResponseError:
        return skipped(
            "redis fsync", "it does not tell its configuration", "make sure by its operator that appendfsync is always"
        )
    if policy == "always":
        return ok("redis fsync", "always: nothing acknowledged is lost with power")
    return warning(
        "redis fsync", f"{policy}: the last seconds are lost with power", "set appendfsync always, see docs/redis.md"
    )


def _eviction(info: Info) -> Finding:
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        return failed(
            "redis eviction", f"{policy}: it throws records away when it is full", "set maxmemory-policy noeviction"
        )
    if info.get("evicted_keys"):
        return failed(
            "redis eviction", f"{info['evicted_keys']} keys were thrown away", "restore from a copy, see docs/redis.md"
        )
    return ok("redis eviction", "noeviction")


def _memory(info: Info) -> Finding:
    used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    text = f"{used / 1e6:.1f} MB used" + (f" of {most / 1e6:.1f} MB" if most else ", no limit of its own")
    if most and used > _FULL * most:
        return warning("redis memory", text, "give it more maxmemory, or prune history (history_days)")
    return ok("redis memory", text)


async def _clock(redis: Redis) -> Finding:
    before = time.time()
    seconds, micros = await redis.time()
    after = time.time()
    skew = (before + after) / 2 - (seconds + micros / 1e6)
    text = f"this machine is {abs(skew):.2f} s {'ahead of' if skew > 0 else 'behind'} it"
    if abs(skew) > _SKEW_FAILED:
        return failed("redis clock", text, "set both clocks, by NTP")
    if abs(skew) > _SKEW_WARNED:
        return warning("redis clock", text, "set both clocks, by NTP")
    return ok("redis clock", text)


async def _broker(queue: QueueSettings, settings: LedgerSettings, run_id: str) -> Finding:
    async with _client(queue.broker_url) as redis:
        try:
            info: Info = await redis.info("server")
        except (RedisError, OSError) as error:
            return _unreachable("broker", "MEDIAFLEET_BROKER_URL", error)
        database = redis.connection_pool.connection_kwargs.get("db", 0)
    async with _client(settings.ledger_url) as ledger:
        same = info.get("run_id") == run_id and database == ledger.connection_pool.connection_kwargs.get("db", 0)
    if same:
        return failed(
            "broker",
            "it shares a database with the ledger, and its upkeep looks at every key",
            "name another database in MEDIAFLEET_BROKER_URL, such as /1",
        )
    return ok("broker", f"version {info.get('redis_version')}, database {database}")


async def _workers(redis: Any, prefix: str) -> AsyncIterator[Finding]:
    ids: list[str] = await redis.zrange(f"{prefix}workers", 0, -1)
    found = [await redis.get(f"{prefix}worker:{worker}") for worker in ids]
    signs = [msgspec.json.decode(sign, type=WorkerSign) for sign in found if sign]
    if not signs:
        yield warning("workers", "none gives a sign of life: uploads are stored, and wait", "start workers")
        return
    yield ok("workers", f"{len(signs)} give signs of life")
    if idle := sorted(kind.lower() for kind in set(MediaKind) - {kind for sign in signs for kind in sign.kinds}):
        yield warning(
            "workers", f"nobody works on {', '.join(idle)}", "start workers with these MEDIAFLEET_WORKER_KINDS"
        )
    if others := sorted({sign.version for sign in signs} - {version("mediafleet-core")}):
        yield warning(
            "workers",
            f"some have version {', '.join(others)}, this is {version('mediafleet-core')}",
            "finish the roll-out, or take it back",
        )
