"""A strict R2 endpoint of a test's own, whose trouble the test plans."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from pydantic import SecretStr

from mediafleet_core.storage import Backend, StorageSettings
from mediafleet_devserver.r2 import R2Endpoint, R2Settings, serving
from mediafleet_devserver.r2.faults import Faults


class Bucket(NamedTuple):
    """What to plan, and how a store gets there."""

    faults: Faults
    settings: StorageSettings


@contextmanager
def bucket(name: str, **storage: Any) -> Iterator[Bucket]:
    """An empty bucket; all tests of a process share moto's state, so each names its own."""
    keys: dict[str, Any] = {"r2_access_key_id": "key-id", "r2_secret_access_key": SecretStr("secret")}
    endpoint = R2Endpoint(R2Settings(r2_bucket_name=name, **keys))
    with serving(endpoint) as url:
        settings = StorageSettings(storage=Backend.R2, r2_endpoint_url=url, r2_bucket_name=name, **keys, **storage)
        yield Bucket(endpoint.faults, settings)
