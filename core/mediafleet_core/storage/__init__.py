"""Object storage: a folder or an S3 bucket behind `ports.ObjectStore`, measured and behind a circuit breaker."""

from __future__ import annotations

from mediafleet_core.metering import Bill
from mediafleet_core.ports import ObjectStore
from mediafleet_core.settings import SettingsError
from mediafleet_core.storage.absent import AbsentStore
from mediafleet_core.storage.breaker import BreakerStore
from mediafleet_core.storage.links import LinkSigner
from mediafleet_core.storage.local import LocalStore
from mediafleet_core.storage.measured import RETRIES, MeasuredStore
from mediafleet_core.storage.s3 import S3Store
from mediafleet_core.storage.settings import Backend, StorageSettings, read_forgiving
from mediafleet_core.storage.troubles import denied, disabled

__all__ = ["Backend", "StorageSettings", "open_bare", "open_local", "open_store", "read_forgiving"]


def open_store(settings: StorageSettings, bill: Bill | None = None) -> ObjectStore:
    """The store that the settings name, every operation measured and behind a circuit breaker. Talks to no server yet.

    `bill` gets the operations that such a store bills. Raises SettingsError if a folder cannot be used.
    """
    store = open_bare(settings)
    if settings.backend is Backend.OFF:
        return store
    return MeasuredStore(BreakerStore(store, settings), None if settings.backend is Backend.LOCAL else bill or Bill())


def open_bare(settings: StorageSettings) -> ObjectStore:
    """The adapter alone. Raises SettingsError if a folder cannot be used."""
    if settings.backend is Backend.OFF:
        return AbsentStore(denied(settings.problem) if settings.problem else disabled(settings.off_by))
    if settings.backend is Backend.LOCAL:
        return open_local(settings)
    return S3Store(settings, on_retry=RETRIES.inc)


def open_local(settings: StorageSettings) -> LocalStore:
    """The folder store, for the file server, which reads it directly. Raises SettingsError if it cannot be used."""
    if settings.storage_dir is None or settings.storage_signing_key is None:
        raise ValueError("these settings name no folder")
    try:
        return LocalStore(settings.storage_dir, signer_of(settings), threads=settings.storage_connections)
    except OSError as error:
        raise SettingsError(f"MEDIAFLEET_STORAGE_DIR: the folder cannot be used ({error.strerror}).") from error


def signer_of(settings: StorageSettings) -> LinkSigner:
    """Makes and checks the URLs of the local file server."""
    if settings.storage_signing_key is None:
        raise ValueError("these settings hold no signing key")
    return LinkSigner(settings.public_url, settings.storage_signing_key.get_secret_value())
