"""Which object storage, where it is, and with which keys."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, FilePath, PrivateAttr, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from mediafleet_core.settings import SettingsError, SettingsPart, read


class Backend(StrEnum):
    """The kinds of storage: a folder, any S3-compatible server, Cloudflare R2, or none."""

    LOCAL = "local"
    S3 = "s3"
    R2 = "r2"
    OFF = "off"


class BodyDigest(StrEnum):
    """How S3 bodies are protected on their way: the CRC32C known anyway, or MD5 for servers that refuse CRC32C."""

    CRC32C = "crc32c"
    MD5 = "md5"


class StorageSettings(SettingsPart):
    """`MEDIAFLEET_STORAGE*`, and the `R2_*` names, which serve `s3` too. A combination that cannot work is refused."""

    storage: Backend | None = Field(
        None, description="One of local, s3, r2, off; unset means r2 if R2_ENABLED, else local."
    )
    storage_dir: Path | None = Field(None, description="The folder that holds the objects.")
    storage_address: str = Field(
        "127.0.0.1:8071",
        pattern=r"^(\[[0-9a-fA-F:.]+\]|[^:\s]+):\d{1,5}$",
        description="HOST:PORT on which the local file server listens.",
    )
    storage_url: str = Field("", description="Public base URL of the local file server, as browsers reach it.")
    storage_signing_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="At least 16 random characters, the same for gateways, workers and file server.",
    )
    storage_connections: int = Field(16, ge=1, le=256, description="Requests that one process may have under way.")
    storage_ca_file: FilePath | None = Field(
        None,
        description="Certificates (PEM) that the S3 server's must descend from; unset means the usual authorities.",
    )
    storage_copy_bytes: int = Field(
        512 << 20,
        ge=5 << 20,
        le=5 << 30,
        description="Bytes that S3 copies in one call, within MEDIAFLEET_STORAGE_TIMEOUT; larger objects in parts.",
    )
    storage_digest: BodyDigest = Field(BodyDigest.CRC32C, description="crc32c, or md5 if the server refuses CRC32C.")
    storage_timeout: timedelta = Field(
        timedelta(seconds=30),
        ge=timedelta(milliseconds=100),
        description="How long S3 may be silent before a call is repeated; MEDIAFLEET_SWEEP_AGAIN_AFTER is longer.",
    )
    storage_breaker_failures: int = Field(
        5, ge=1, description="Operations in a row that must fail before the storage is taken to be away."
    )
    storage_breaker_window: timedelta = Field(
        timedelta(seconds=60), gt=timedelta(0), description="In which those failures fall."
    )
    storage_breaker_cooldown: timedelta = Field(
        timedelta(seconds=5),
        gt=timedelta(0),
        description="How long a storage that is away is left alone before it is tried again.",
    )

    r2_enabled: bool | None = Field(
        None,
        validation_alias="R2_ENABLED",
        description="true chooses R2; false switches the storage off, where no other one is named.",
    )
    r2_account_id: str = Field(
        "",
        validation_alias="R2_ACCOUNT_ID",
        pattern=r"^([0-9a-f]{32})?$",
        description="The account's 32 hexadecimal digits.",
    )
    r2_bucket_name: str = Field("", validation_alias="R2_BUCKET_NAME", description="The bucket, of s3 too.")
    r2_access_key_id: str = Field(
        "", validation_alias="R2_ACCESS_KEY_ID", description="Id of an access key with Object Read & Write, of s3 too."
    )
    r2_secret_access_key: SecretStr = Field(
        SecretStr(""), validation_alias="R2_SECRET_ACCESS_KEY", description="The secret of that key."
    )
    r2_endpoint_url: str = Field(
        "",
        validation_alias="R2_ENDPOINT_URL",
        description="Base URL of the S3 server; unset means that of the account in R2_ACCOUNT_ID.",
    )
    r2_region: str = Field(
        "auto", validation_alias="R2_REGION", description="The region of an S3 server that has one; auto with R2."
    )
    _problem: str = PrivateAttr("")

    @property
    def backend(self) -> Backend:
        """The kind in use."""
        if self.r2_enabled is False and (
            self.storage is Backend.R2 or (self.storage is None and self.storage_dir is None)
        ):
            return Backend.OFF
        return self.storage or (Backend.R2 if self.r2_enabled else Backend.LOCAL)

    @property
    def problem(self) -> str:
        """What is wrong with the settings that these stand in for; "" if nothing is."""
        return self._problem

    @property
    def off_by(self) -> str:
        """The setting that switches the storage off."""
        return "MEDIAFLEET_STORAGE=off" if self.storage is Backend.OFF else "R2_ENABLED=false"

    @property
    def endpoint_url(self) -> str:
        """Base URL of the S3 endpoint: as given, or R2's own for the account."""
        derived = f"https://{self.r2_account_id}.r2.cloudflarestorage.com" if self.r2_account_id else ""
        return self.r2_endpoint_url.rstrip("/") or derived

    @property
    def public_url(self) -> str:
        """Base URL of the local file server."""
        return self.storage_url.rstrip("/") or f"http://{self.storage_address}"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.backend is Backend.LOCAL:
            self._check_local()
        elif self.backend is not Backend.OFF:
            self._check_s3()
        return self

    def _check_local(self) -> None:
        if self.r2_enabled:
            raise _wrong(
                "R2_ENABLED", "is true while MEDIAFLEET_STORAGE is local: set MEDIAFLEET_STORAGE=r2, or unset one"
            )
        if self.storage_dir is None:
            raise _wrong("MEDIAFLEET_STORAGE_DIR", "is missing: name the folder that holds the objects")
        if self.storage_signing_key is None:
            raise _wrong(
                "MEDIAFLEET_STORAGE_SIGNING_KEY",
                "is missing: choose at least 16 random characters, the same for gateways, workers and file server",
            )
        _check_base_url("MEDIAFLEET_STORAGE_URL", self.public_url, https=False, path_allowed=True)

    def _check_s3(self) -> None:
        if not self.endpoint_url:
            raise _wrong(*_NO_ENDPOINT[self.backend])
        for variable, value, what in (
            ("R2_BUCKET_NAME", self.r2_bucket_name, "the bucket"),
            (
                "R2_ACCESS_KEY_ID",
                self.r2_access_key_id,
                "the id of an access key with read and write rights on objects",
            ),
            ("R2_SECRET_ACCESS_KEY", self.r2_secret_access_key.get_secret_value(), "the secret of that access key"),
        ):
            if not value:
                raise _wrong(variable, f"is missing: set it to {what}")
        _check_base_url("R2_ENDPOINT_URL", self.endpoint_url, https=self.backend is Backend.R2, path_allowed=False)


def read_forgiving() -> StorageSettings:
    """As `read`; settings that are wrong become a storage that is off, and says what is wrong with them.

    For a development gateway, which then answers everything that needs no storage, and tells callers why not the rest.
    """
    try:
        return read(StorageSettings)
    except SettingsError as error:
        off = StorageSettings.model_construct(storage=Backend.OFF)
        off._problem = str(error).replace("\n", " ")
        return off


_NO_ENDPOINT = {
    Backend.R2: ("R2_ACCOUNT_ID", "is missing: set it to the Cloudflare account id, or set R2_ENDPOINT_URL"),
    Backend.S3: ("R2_ENDPOINT_URL", "is missing: set it to the base URL of the S3 server"),
}


def _check_base_url(variable: str, url: str, *, https: bool, path_allowed: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _wrong(variable, "is no http(s) URL: write it as https://host")
    if parts.query or parts.fragment or (parts.path and not path_allowed):
        raise _wrong(variable, "has more than a host: leave out the bucket, it is R2_BUCKET_NAME")
    if https and parts.scheme != "https" and not _is_loopback(parts.hostname):
        raise _wrong(variable, "is not https: credentials and files would travel in the clear; write https://")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _wrong(variable: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError("storage_setting", "{problem}", {"problem": f"{variable} {remedy}"})
