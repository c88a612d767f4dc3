"""How a process reads its settings: once, from the environment, into frozen typed parts beside their components."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "MEDIAFLEET_"

_SPAN = re.compile(r"(\d+(?:\.\d+)?) ?(ms|s|m|h|d)")
_LONGEST = timedelta(days=36500)
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_BETTER_WORDS = {"time_delta_parsing": "must be a time such as 500ms, 10s, 5m, 6h or 7d"}
"""By pydantic's type of complaint."""


def _redis_url(value: str) -> str:
    """Refused before a client of Redis reads it, whose own complaint would quote a password that holds / ? or #."""
    try:
        url = urlsplit(value)
        known = url.scheme == "unix" or (url.scheme in {"redis", "rediss"} and url.port != 0)
    except ValueError:  # what stands for a port is none
        known = False
    if not known or (url.scheme != "unix" and ("@" in url.path or url.fragment)):
        text = "must be redis://USER:PASSWORD@HOST:PORT/0, with / ? # @ % in a password as %2F and so on"
        raise PydanticCustomError("redis_url", text)
    return value


RedisUrl = Annotated[str, AfterValidator(_redis_url)]
"""Where a Redis is, with its password perhaps."""


def without_credentials(redis_url: str) -> str:
    """For people to read: neither user nor password, nor options, which may hold them too."""
    url = urlsplit(redis_url)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"


class SettingsError(Exception):
    """A setting is missing or wrong; the text names the variable and the remedy, never the value."""


class SettingsPart(BaseSettings):
    """One component's settings; a field `x` is read from `MEDIAFLEET_X`, or from its `validation_alias` exactly.

    A field's description is shown as the remedy when its value is refused.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _short_span(cls, value: object, info: ValidationInfo) -> object:
        """`90s` or `6h` besides what pydantic reads, which is ISO 8601 and h:m:s."""
        field = cls.model_fields.get(info.field_name or "")
        if field is None or field.annotation is not timedelta or not isinstance(value, str):
            return value
        match = _SPAN.fullmatch(value.strip())
        try:
            return timedelta(**{_UNITS[match[2]]: float(match[1])}) if match else value
        except OverflowError:
            return timedelta.max

    @field_validator("*")
    @classmethod
    def _bounded_span(cls, value: object) -> object:
        """Sums and products of what is taken stay within what a span and a clock can hold."""
        if isinstance(value, timedelta) and value > _LONGEST:
            raise PydanticCustomError("long_span", f"must be at most {_LONGEST.days}d")
        return value


def variables_of(part: type[SettingsPart]) -> Mapping[str, FieldInfo]:
    """The part's fields by the variable that each is read from."""
    return {
        field.validation_alias if isinstance(field.validation_alias, str) else PREFIX + name.upper(): field
        for name, field in part.model_fields.items()
    }


_Part = TypeVar("_Part", bound=SettingsPart)


def read(part: type[_Part]) -> _Part:
    """The part as the environment has it. Raises SettingsError naming every variable that is missing or wrong."""
    try:
        return part()
    except ValidationError as error:
        raise SettingsError("\n".join(_complaints(part, error))) from None


def _complaints(part: type[SettingsPart], error: ValidationError) -> list[str]:
    lines = []
    aliased = {field.validation_alias: field for field in part.model_fields.values() if field.validation_alias}
    for problem in error.errors(include_input=False, include_url=False):
        # A complaint about several settings together has no place; its own words name them.
        name = str(problem["loc"][0]) if problem["loc"] else ""
        field = part.model_fields.get(name) or aliased.get(name)
        variable = PREFIX + name.upper() if name in part.model_fields and name not in aliased else name
        remedy = field.description if field is not None and field.description else ""
        words = _BETTER_WORDS.get(problem["type"], problem["msg"].removeprefix("Value error, "))
        lines.append(" ".join(filter(None, [f"{variable}:" if variable else "", f"{words}.", remedy])))
    return lines
