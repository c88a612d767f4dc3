"""Calls of S3: boto3 in threads of its own, and whatever else, repeated where that can help."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, BinaryIO, TypeVar

from mediafleet_core.storage.s3_client import make_client
from mediafleet_core.storage.s3_errors import FAILURES, trouble_of
from mediafleet_core.storage.settings import StorageSettings

T = TypeVar("T")

ATTEMPTS = 4
"""Calls of one operation before its trouble is raised."""


class Calls:
    """Operations on one bucket, as many of boto3 at a time as there are connections."""

    def __init__(self, settings: StorageSettings, on_retry: Callable[[], None]) -> None:
        """Connects at the first call; `on_retry` is called before each repeated call."""
        self.bucket = settings.r2_bucket_name
        self.client = make_client(settings)
        self.on_retry = on_retry
        self._threads = ThreadPoolExecutor(settings.storage_connections, thread_name_prefix="storage")

    async def run(self, work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """What blocks, in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, partial(work, *args, **kwargs))

    async def call(
        self,
        key: str,
        method: Callable[..., Any],
        body: BinaryIO | None = None,
        *,
        done: Callable[[], Awaitable[Any]] | None = None,
        **params: Any,
    ) -> Any:
        """One operation of boto3, as `repeated`."""
        params["Bucket"] = self.bucket
        if key:
            params["Key"] = key
        if body is not None:
            params["Body"] = body

        async def call() -> Any:
            if body is not None:
                body.seek(0)
            return await self.run(method, **params)

        return await self.repeated(key, call, done)

    async def repeated(
        self, key: str, call: Callable[[], Awaitable[T]], done: Callable[[], Awaitable[T | None]] | None = None
    ) -> T:
        """Call until it succeeds or another try cannot help; raises `MediafleetError` only.

        `done` looks, before a call is repeated, whether it was done after all, and gives the answer that was lost.
        """
        attempt = 1
        while True:
            try:
                return await call()
            except FAILURES as failure:
                trouble = trouble_of(failure, key)
                if not trouble.retry or attempt == ATTEMPTS:
                    raise trouble.error from failure
            self.on_retry()
            # R2 takes one write a second to one key: less than a second of patience would only fail again.
            shortest = 1.0 if trouble.throttled else 0.1
            await asyncio.sleep(shortest * 2 ** (attempt - 1) * random.uniform(1.0, 2.0))
            if done is not None and (answer := await done()) is not None:
                return answer
            attempt += 1

    def close(self) -> None:
        """What has not begun never will."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.client.close()


def etag_in(answer: Mapping[str, Any]) -> str:
    """Without its quotes."""
    return str(answer["ETag"]).strip('"')
