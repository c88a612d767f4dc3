"""Settings of webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import NoDecode
from yarl import URL

from mediafleet_core.identity import TenantId, is_name
from mediafleet_core.ports.webhooks import EVENT_TYPES, MESSAGES_KEPT
from mediafleet_core.settings import SettingsPart
from mediafleet_core.webhooks import secret_bytes


class Webhook(BaseModel):
    """Where a tenant's messages go, what they are signed with, and of which types they are."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str
    secret: SecretStr
    previous_secret: SecretStr | None = None
    events: frozenset[str] = EVENT_TYPES

    @property
    def secrets(self) -> Sequence[bytes]:
        """Keys to sign with, the current one first."""
        given = (self.secret, self.previous_secret)
        return [secret_bytes(secret.get_secret_value()) for secret in given if secret is not None]

    @property
    def host(self) -> str:
        """For logs: the rest of the URL may be a secret of the receiver."""
        return URL(self.url).host or ""

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        url = URL(value)
        if url.scheme not in {"http", "https"} or not url.host or url.user or url.password or url.fragment:
            raise ValueError("must be https://HOST/PATH, without user name and password")
        try:
            url.host.encode("idna")
        except UnicodeError:
            raise ValueError(
                "must have a host name that can be looked up: 1 to 63 characters between two dots"
            ) from None
        return value

    @field_validator("secret", "previous_secret")
    @classmethod
    def _is_secret(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            secret_bytes(value.get_secret_value())
        return value

    @field_validator("events")
    @classmethod
    def _are_known(cls, value: frozenset[str]) -> frozenset[str]:
        if unknown := sorted(value - EVENT_TYPES):
            raise ValueError(f"{', '.join(unknown)}: no such type; there are {', '.join(sorted(EVENT_TYPES))}")
        return value


_WEBHOOKS = TypeAdapter(dict[TenantId, Webhook])


def _webhooks(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        webhooks = _WEBHOOKS.validate_json(value or "{}")
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        raise ValueError("; ".join(_told(".".join(map(str, each["loc"])), each["msg"]) for each in problems)) from None
    if not all(map(is_name, webhooks)):
        raise ValueError("a tenant's name must be 1 to 63 of a-z, 0-9, dot, dash and underscore")
    return webhooks


def _told(place: str, words: str) -> str:
    """What is wrong with the whole has no place."""
    return ": ".join(filter(None, [place, words.removeprefix("Value error, ")]))


class WebhookSettings(SettingsPart):
    """Who is told of ends, how patiently, and which addresses may be talked to."""

    webhooks: Annotated[Mapping[TenantId, Webhook] | None, NoDecode, BeforeValidator(_webhooks)] = Field(
        None,
        description='Set JSON such as {"acme": {"url": "https://example.com/hook", "secret": "whsec_..."}}; '
        "a worker without it sends none.",
    )
    webhook_private: bool = Field(
        False, description="Whether http:// and addresses that are not public (loopback, private networks) are allowed."
    )
    webhook_timeout: timedelta = Field(
        timedelta(seconds=10), gt=timedelta(0), description="How long a receiver may take to answer."
    )
    webhook_concurrency: int = Field(16, ge=1, description="Messages that this process has under way.")
    webhook_per_tenant: int = Field(4, ge=1, description="Messages of one tenant that the fleet has under way.")
    webhook_interval: timedelta = Field(
        timedelta(seconds=1), gt=timedelta(0), description="Time between two looks for messages that are due."
    )
    webhook_retry_first: timedelta = Field(
        timedelta(seconds=5),
        gt=timedelta(0),
        description="Delay before the second try, about; four times as long each time.",
    )
    webhook_retry_most: timedelta = Field(
        timedelta(hours=6), gt=timedelta(0), description="Longest delay before a try, about."
    )
    webhook_patience: timedelta = Field(
        timedelta(days=3),
        ge=timedelta(0),
        le=MESSAGES_KEPT,
        description="How long a message is tried; at most 7 days, and 0s tries it once.",
    )

    @model_validator(mode="after")
    def _encrypted_beyond_private(self) -> Self:
        plain = sorted(tenant for tenant, hook in (self.webhooks or {}).items() if URL(hook.url).scheme != "https")
        if plain and not self.webhook_private:
            problem = (
                f"MEDIAFLEET_WEBHOOKS: the URL of {', '.join(plain)} must be https://; MEDIAFLEET_WEBHOOK_PRIVATE=true "
                "allows http:// and private addresses"
            )
            raise PydanticCustomError("webhook_setting", "{problem}", {"problem": problem})
        return self
