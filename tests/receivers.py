"""A receiver of webhooks on loopback, which checks every message with the public library of Standard Webhooks."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web
from pydantic import SecretStr
from standardwebhooks import Webhook as Verifier

from mediafleet_core.identity import TenantId
from mediafleet_workers.webhooks.settings import Webhook
from tests.waiting import eventually

SECRET = "whsec_" + base64.b64encode(b"a secret of 32 bytes, for tests!").decode()

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Heard(NamedTuple):
    """One request: its id, its body as sent, and the event in it."""

    message_id: str
    body: bytes
    event: Mapping[str, Any]


def says(status: int, **headers: str) -> Answer:
    """Answers at once."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers=headers)

    return answer


async def hangs(request: web.Request) -> web.StreamResponse:
    """Never answers."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def breaks(request: web.Request) -> web.StreamResponse:
    """Cuts the connection."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


class Receiver:
    """Keeps what it hears; `answers` are given in turn, then 204."""

    def __init__(self) -> None:
        self.url = ""
        self.heard: list[Heard] = []
        self.answers: list[Answer] = []
        self.by_default = says(204)

    async def hear(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        event = Verifier(SECRET).verify(body, dict(request.headers))
        assert request.content_type == "application/cloudevents+json"
        assert event == json.loads(body)
        self.heard.append(Heard(request.headers["webhook-id"], body, event))
        answer = self.answers.pop(0) if self.answers else self.by_default
        return await answer(request)

    def types(self) -> list[str]:
        """Types of what was heard, each message once, sorted."""
        return sorted({each.message_id: each.event["type"] for each in self.heard}.values())

    async def hears(self, count: int, timeout: float = 60) -> list[Heard]:
        """What was heard, once there are so many."""

        async def enough() -> bool:
            return len(self.heard) >= count

        await eventually(enough, timeout, f"{count} webhooks, not {len(self.heard)}")
        return self.heard

    def hook(self, **more: Any) -> Webhook:
        """The configuration that leads here."""
        return Webhook(url=self.url, secret=SecretStr(SECRET), **more)

    def hooks(self, *tenants: str, **more: Any) -> dict[str, Any]:
        """Settings of a worker, with short waits, that tells of these tenants."""
        return {
            "webhooks": {TenantId(tenant): self.hook(**more) for tenant in tenants},
            "webhook_private": True,
            "webhook_interval": 0.02,
            "webhook_timeout": 60,
            "webhook_retry_first": 0.02,
            "webhook_retry_most": 0.1,
        }


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/hook", receiver.hear)
    # What hangs is cut off at the end, not waited for.
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.01, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()
