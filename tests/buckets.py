"""A strict R2 endpoint of a test's own, whose trouble the test plans."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

from pydantic import SecretStr

from mediafleet_core.storage import Backend, StorageSettings
from mediafleet_devserver.r2 import R2Endpoint, R2Settings, serving
from mediafleet_devserver.r2.faults import Faults

READER = {"R2_ACCESS_KEY_ID": "reader-id", "R2_SECRET_ACCESS_KEY": "reader-secret"}
"""A key of every such bucket that can only read."""

ADMIN = {"R2_ACCESS_KEY_ID": "admin-id", "R2_SECRET_ACCESS_KEY": "admin-secret"}
"""One that may do everything, in other buckets too."""


class Bucket(NamedTuple):
    """What to plan, and how a store gets there."""

    faults: Faults
    settings: StorageSettings

    @property
    def environment(self) -> dict[str, str]:
        """The settings as variables."""
        return environment_of(self.settings)


def environment_of(settings: StorageSettings) -> dict[str, str]:
    """What makes a process use this bucket."""
    return {
        "MEDIAFLEET_STORAGE": "r2",
        "R2_ENDPOINT_URL": settings.r2_endpoint_url,
        "R2_BUCKET_NAME": settings.r2_bucket_name,
        "R2_ACCESS_KEY_ID": settings.r2_access_key_id,
        "R2_SECRET_ACCESS_KEY": settings.r2_secret_access_key.get_secret_value(),
    }


@contextmanager
def bucket(name: str, *, clock_ahead: timedelta = timedelta(0), **storage: Any) -> Iterator[Bucket]:
    """An empty bucket; all tests of a process share moto's state, so each names its own."""
    keys: dict[str, Any] = {"r2_access_key_id": "key-id", "r2_secret_access_key": SecretStr("secret")}
    others: dict[str, Any] = {
        "r2_reader_access_key_id": READER["R2_ACCESS_KEY_ID"],
        "r2_reader_secret_access_key": SecretStr(READER["R2_SECRET_ACCESS_KEY"]),
        "r2_admin_access_key_id": ADMIN["R2_ACCESS_KEY_ID"],
        "r2_admin_secret_access_key": SecretStr(ADMIN["R2_SECRET_ACCESS_KEY"]),
    }
    endpoint = R2Endpoint(R2Settings(r2_bucket_name=name, **keys, **others), clock_ahead=clock_ahead)
    with serving(endpoint) as url:
        settings = StorageSettings(storage=Backend.R2, r2_endpoint_url=url, r2_bucket_name=name, **keys, **storage)
        yield Bucket(endpoint.faults, settings)
