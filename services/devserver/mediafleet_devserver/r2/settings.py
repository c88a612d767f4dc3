"""Which bucket and which keys the endpoint knows."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

from pydantic import Field, SecretStr

from mediafleet_core.settings import SettingsPart


class Right(IntEnum):
    """What a token of R2's may do: read the objects of one bucket, write them too, or everything in the account."""

    READ = 1
    WRITE = 2
    ADMIN = 3


class AccessKey(NamedTuple):
    """The pair of keys of a token."""

    key_id: str
    secret: SecretStr
    right: Right


class R2Settings(SettingsPart):
    """The same names that the storage adapter reads, and optionally pairs of keys that can only read, or administer."""

    r2_bucket_name: str = Field(validation_alias="R2_BUCKET_NAME", pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")
    r2_access_key_id: str = Field(validation_alias="R2_ACCESS_KEY_ID", min_length=1)
    r2_secret_access_key: SecretStr = Field(validation_alias="R2_SECRET_ACCESS_KEY", min_length=1)
    r2_admin_access_key_id: str = Field("", validation_alias="R2_ADMIN_ACCESS_KEY_ID")
    r2_admin_secret_access_key: SecretStr = Field(SecretStr(""), validation_alias="R2_ADMIN_SECRET_ACCESS_KEY")

    r2_reader_access_key_id: str = Field("", validation_alias="R2_READER_ACCESS_KEY_ID")
    r2_reader_secret_access_key: SecretStr = Field(SecretStr(""), validation_alias="R2_READER_SECRET_ACCESS_KEY")

    @property
    def access_keys(self) -> Mapping[str, AccessKey]:
        """Every pair of keys by its id."""
        keys = (
            AccessKey(self.r2_access_key_id, self.r2_secret_access_key, Right.WRITE),
            AccessKey(self.r2_admin_access_key_id, self.r2_admin_secret_access_key, Right.ADMIN),
            AccessKey(self.r2_reader_access_key_id, self.r2_reader_secret_access_key, Right.READ),
        )
        return {key.key_id: key for key in keys if key.key_id and key.secret.get_secret_value()}
