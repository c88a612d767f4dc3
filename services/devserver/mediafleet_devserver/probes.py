"""Whether a child answers yet. A probe says so, or raises OSError, RedisError or RpcError."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from redis.asyncio import Redis
from redis.exceptions import RedisError

Probe = Callable[[], Awaitable[bool]]

TIMEOUT = 2.0
"""Seconds for one answer."""

NOT_YET = (OSError, RedisError, grpc.RpcError)

# What is asked is on this machine: a proxy of the environment has no part in it.
_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def redis_answers(url: str) -> Probe:
    """A PING is answered, also after the data has been loaded."""

    async def probe() -> bool:
        async with Redis.from_url(url, protocol=2, socket_timeout=TIMEOUT, retry=None) as client:
            return bool(await client.ping())

    return probe


def http_answers(url: str) -> Probe:
    """Any HTTP answer to GET counts, refusals too."""

    def ask() -> bool:
        try:
            with _http.open(url, timeout=TIMEOUT):
                return True
        except urllib.error.HTTPError:
            return True

    async def probe() -> bool:
        return await asyncio.to_thread(ask)

    return probe


def gateway_serves(target: str) -> Probe:
    """The health service says SERVING."""

    async def probe() -> bool:
        async with grpc.aio.insecure_channel(target, [("grpc.enable_http_proxy", 0)]) as channel:
            check = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=HealthCheckRequest.SerializeToString,
                response_deserializer=HealthCheckResponse.FromString,
            )
            answer = await check(HealthCheckRequest(), timeout=TIMEOUT)
        return bool(answer.status == HealthCheckResponse.SERVING)

    return probe
