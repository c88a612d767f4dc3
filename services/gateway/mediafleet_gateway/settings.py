"""Settings of the gateway."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

import msgspec
from pydantic import BeforeValidator, Field, InstanceOf, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode

from mediafleet_core.identity import TenantId, is_name
from mediafleet_core.ports import Retention
from mediafleet_core.quotas import Limits
from mediafleet_core.settings import SettingsPart
from mediafleet_core.telemetry.metrics import address
from mediafleet_gateway.admission import METHOD_LIMITS

MIB = 1 << 20
_DEFAULT_LIMITS = Limits()


def _tenants(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        tenants = msgspec.json.decode(value or "{}", type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    return {tenant: _limits(tenant, limits) for tenant, limits in tenants.items()}


def _limits(tenant: str, limits: msgspec.Raw) -> Limits:
    if not is_name(tenant):
        raise ValueError(f"{tenant!r}: a tenant's name must be 1 to 63 of a-z, 0-9, dot, dash and underscore")
    try:
        return msgspec.json.decode(limits, type=Limits)
    except msgspec.DecodeError as error:
        raise ValueError(f"{tenant}: {error}") from None


def _method_limits(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        limits = msgspec.json.decode(value or "{}", type=dict[str, Annotated[int, msgspec.Meta(ge=1)]])
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    if unknown := sorted(limits.keys() - METHOD_LIMITS.keys()):
        raise ValueError(f"{', '.join(unknown)}: no such method, or one that is never counted")
    return {**METHOD_LIMITS, **limits}


class GatewaySettings(SettingsPart):
    """Where the gateway listens, whom it trusts, and how it ends."""

    gateway_address: str = Field("127.0.0.1:8070", description="Set host:port; port 0 lets the system choose.")
    gateway_processes: int = Field(
        1, ge=1, le=64, description="Gateways on this port, started and watched by one supervisor."
    )
    gateway_tether: int | None = Field(
        None, description="Descriptor of the supervisor's socket, which sets it: the port is shared, its end is ours."
    )
    metrics_address: str = Field("127.0.0.1:0", description="Set host:port; port 0 lets the system choose.")
    token_key: SecretStr | None = Field(
        None, min_length=32, description="Set at least 32 random characters; tokens are signed with it (HS256)."
    )
    token_key_previous: SecretStr | None = Field(
        None, min_length=32, description="The key before, while tokens signed by it are still around."
    )
    tenants: Annotated[dict[str, InstanceOf[Limits]], NoDecode, BeforeValidator(_tenants)] = Field(
        {}, description='Set JSON such as {"acme": {"tenant_bytes": 1000000000}}; left out means the defaults.'
    )
    max_uploads: int = Field(256, ge=1, description="Uploads that may send bytes to this process at once.")
    max_upload_bytes: int = Field(
        512 * MIB,
        ge=1,
        description="Bytes that those may hold in memory; a stream holds a part (8 MiB), an UploadFile its content.",
    )
    method_limits: Annotated[dict[str, int], NoDecode, BeforeValidator(_method_limits)] = Field(
        dict(METHOD_LIMITS), description='Set JSON such as {"CreateUpload": 500}; those left out stay at 256.'
    )
    environment: Literal["development", "production"] = Field("development", description="development or production.")
    drain_grace: timedelta = Field(
        timedelta(seconds=25),
        ge=timedelta(0),
        description="How long calls may go on after SIGTERM; 0s ends them at once.",
    )
    connection_age: timedelta = Field(
        timedelta(minutes=10),
        ge=timedelta(seconds=1),
        description="When a client is asked to connect anew, so that it finds gateways that came since; streams go on.",
    )
    watch_heartbeat: timedelta = Field(
        timedelta(seconds=15), gt=timedelta(0), description="Time between two signs of life of a watch."
    )

    @property
    def token_keys(self) -> tuple[str, ...]:
        """Keys that sign good tokens, the current one first; empty when no credentials are configured."""
        keys = (self.token_key, self.token_key_previous)
        return tuple(key.get_secret_value() for key in keys if key is not None)

    def limits_of(self, tenant: TenantId) -> Limits:
        """The limits of a tenant."""
        return self.tenants.get(tenant, _DEFAULT_LIMITS)

    @property
    def retention(self) -> dict[TenantId, Retention]:
        """Of tenants whose history is not kept for ever."""
        return {
            TenantId(tenant): Retention(days=limits.history_days, objects=limits.history_objects == "delete")
            for tenant, limits in self.tenants.items()
            if limits.history_days is not None
        }

    @field_validator("gateway_address", "metrics_address")
    @classmethod
    def _is_address(cls, value: str) -> str:
        address(value)
        return value

    @model_validator(mode="after")
    def _credentials_beyond_loopback(self) -> Self:
        open_to_all = not address(self.gateway_address).loopback or self.environment == "production"
        if open_to_all and self.token_key is None:
            problem = (
                "MEDIAFLEET_TOKEN_KEY is missing: without it every caller may do everything, so the gateway binds "
                "loopback only and never in production. Set it, or a loopback MEDIAFLEET_GATEWAY_ADDRESS"
            )
            raise PydanticCustomError("gateway_setting", "{problem}", {"problem": problem})
        return self
