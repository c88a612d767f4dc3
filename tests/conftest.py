"""What every test may ask for: a real Redis of its own, and an hour that does not end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis

from mediafleet_core import lifecycle
from mediafleet_devserver.redis_server import redis_server

for profile, derandomize in (("daily", True), ("long", False)):
    # Every day the same examples, so that no change meets what another one has to answer for; others in the long tests.
    slow = [HealthCheck.too_slow]
    settings.register_profile(profile, derandomize=derandomize, deadline=None, suppress_health_check=slow)

_HOUR = 3600
_LONGEST = 20
"""Seconds that a test which counts by the hour may last."""


@pytest.fixture(scope="session", autouse=True)
def plain_environment() -> Iterator[None]:
    """The shell and the terminal of whoever runs the tests have no part in them, but for the storage of test-s3."""
    ours = () if "MEDIAFLEET_TEST_STORES" in os.environ else ("MEDIAFLEET_", "R2_")
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith((*ours, "FORCE_COLOR", "NO_COLOR"))]:
            environment.delenv(name)
        environment.setenv("COLUMNS", "80")
        # A shell has a job in the background ignore it, and with it all its children.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        yield


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a private Redis that lives as long as the test session."""
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[Redis]:
    """A client of the private Redis, every database emptied before the test; values are bytes."""
    async with Redis.from_url(redis_url, protocol=2) as client:
        await client.flushall()
        yield client


@pytest.fixture(autouse=True)
def patient_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine shall not pass for a slow storage, whose sweeps go on behind the answer."""
    monkeypatch.setattr(lifecycle, "SWEEP_PATIENCE", 60.0)


@pytest.fixture
def same_hour() -> None:
    """No hour, and so no day or month, ends while a test lasts: what is counted by them is in one row."""
    if (left := _HOUR - time.time() % _HOUR) < _LONGEST:
        time.sleep(left)
