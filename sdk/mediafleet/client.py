"""The synchronous client: the asynchronous one on a thread of its own, so that there is one way things are done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import grpc

from mediafleet.aio import AsyncClient
from mediafleet.batches import AsyncBatches
from mediafleet.gateways import Token
from mediafleet.imports import AsyncImports
from mediafleet.notifications import AsyncNotifications
from mediafleet.synchronous import LoopThread, Synchronous, call, stream


class Batches(Synchronous[AsyncBatches]):
    """`client.batches`; see `AsyncBatches`, which has the same methods."""

    create = call(AsyncBatches.create)
    seal = call(AsyncBatches.seal)
    get = call(AsyncBatches.get)
    list = stream(AsyncBatches.list)
    watch = stream(AsyncBatches.watch)
    wait = call(AsyncBatches.wait)
    cancel = call(AsyncBatches.cancel)
    retry = call(AsyncBatches.retry)
    report = stream(AsyncBatches.report)


class Imports(Synchronous[AsyncImports]):
    """`client.imports`; see `AsyncImports`, which has the same methods."""

    list = stream(AsyncImports.list)
    take = call(AsyncImports.take)
    take_many = stream(AsyncImports.take_many)


class Notifications(Synchronous[AsyncNotifications]):
    """`client.notifications`; see `AsyncNotifications`, which has the same methods."""

    list = stream(AsyncNotifications.list)
    mark_read = call(AsyncNotifications.mark_read)
    replay_webhooks = call(AsyncNotifications.replay_webhooks)


class Client(Synchronous[AsyncClient]):
    """Sends files in and tells what becomes of them; see `AsyncClient`, which has the same methods.

    What is an asynchronous iterator there is a plain one here. Progress callbacks are called on the client's thread and
    must not call the client. Safe to share between threads; best used as `with Client(...)`.
    """

    def __init__(
        self,
        target: str = "",
        *,
        targets: Sequence[str] = (),
        token: Token = "",
        timeout: float = 60.0,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        """Names one gateway, or several of which the next is taken when one is away.

        A target is `host:port`, or `https://host:port` for TLS with the system's certificates; `credentials` bring
        others. `token` may be a function that gives a fresh one for each call. `timeout` is the seconds that one try
        may take, and that trouble without any progress is borne. Nothing connects yet.
        """
        client = AsyncClient(target, targets=targets, token=token, timeout=timeout, credentials=credentials)
        super().__init__(client, LoopThread())
        self.batches = Batches(client.batches, self._thread)
        self.imports = Imports(client.imports, self._thread)
        self.notifications = Notifications(client.notifications, self._thread)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends every call and connection; may be repeated."""
        self._thread.close(self._asynchronous.close)

    @property
    def target(self) -> str:
        """The gateway that is talked to now, as it was named."""
        return self._asynchronous.target

    upload = call(AsyncClient.upload)
    upload_many = stream(AsyncClient.upload_many)
    watch = stream(AsyncClient.watch)
    watch_many = stream(AsyncClient.watch_many)
    wait = call(AsyncClient.wait)
    get = call(AsyncClient.get)
    list = stream(AsyncClient.list)
    update = call(AsyncClient.update)
    cancel = call(AsyncClient.cancel)
    retry = call(AsyncClient.retry)
    retry_many = stream(AsyncClient.retry_many)
    delete = call(AsyncClient.delete)
    download_url = call(AsyncClient.download_url)
    usage = call(AsyncClient.usage)
    usage_history = stream(AsyncClient.usage_history)
    quota = call(AsyncClient.quota)
    fleet = call(AsyncClient.fleet)
    explain = call(AsyncClient.explain)
    pause_queue = call(AsyncClient.pause_queue)
    resume_queue = call(AsyncClient.resume_queue)
