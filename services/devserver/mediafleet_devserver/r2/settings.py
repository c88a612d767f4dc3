"""Which bucket and which keys the endpoint knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pydantic import Field, SecretStr

from mediafleet_core.settings import SettingsPart


class AccessKey(NamedTuple):
    """A token of R2's: with read and write rights on the objects of one bucket, or an account's admin."""

    key_id: str
    secret: SecretStr
    is_admin: bool


class R2Settings(SettingsPart):
    """The same names that the storage adapter reads, and optionally a second, administering pair of keys."""

    r2_bucket_name: str = Field(validation_alias="R2_BUCKET_NAME", pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$")
    r2_access_key_id: str = Field(validation_alias="R2_ACCESS_KEY_ID", min_length=1)
    r2_secret_access_key: SecretStr = Field(validation_alias="R2_SECRET_ACCESS_KEY", min_length=1)
    r2_admin_access_key_id: str = Field("", validation_alias="R2_ADMIN_ACCESS_KEY_ID")
    r2_admin_secret_access_key: SecretStr = Field(SecretStr(""), validation_alias="R2_ADMIN_SECRET_ACCESS_KEY")

    @property
    def access_keys(self) -> Mapping[str, AccessKey]:
        """Every pair of keys by its id."""
        keys = [AccessKey(self.r2_access_key_id, self.r2_secret_access_key, is_admin=False)]
        if self.r2_admin_access_key_id and self.r2_admin_secret_access_key.get_secret_value():
            keys.append(AccessKey(self.r2_admin_access_key_id, self.r2_admin_secret_access_key, is_admin=True))
        return {key.key_id: key for key in keys}
