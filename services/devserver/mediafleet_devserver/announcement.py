"""What the dev server tells the person who started it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import get_args, get_type_hints

import click
from pydantic import BaseModel, SecretStr

from mediafleet_core.settings import SettingsPart, variables_of
from mediafleet_core.storage import StorageSettings
from mediafleet_devserver.devserver import DevServer
from mediafleet_gateway.bootstrap import Settings as GatewaySettings
from mediafleet_workers.bootstrap import Settings as WorkerSettings

WARNING = """\
==========================================================================
  NOT FOR PRODUCTION: all on one machine, no TLS, keys in plain files.
=========================================================================="""


def announce(server: DevServer, say: Callable[[str], None]) -> None:
    """Print every effective setting, the addresses and a loud warning; no secret."""
    endpoints = server.endpoints
    say("Settings, by environment variable; secrets stay in the data folder")
    for line in _settings(server):
        say(f"  {line}")
    say("")
    say(f"Data        {server.data.path}")
    say(f"Logs        {server.data.folder('logs')}")
    say(f"Endpoints   {server.data.endpoints} (addresses, tokens and pids for programs)")
    say("Processes   " + ", ".join(f"{name} {pid}" for name, pid in endpoints.pids.items()))
    say(f"Redis       {without_password(endpoints.redis)}")
    say(f"Storage     {endpoints.storage}")
    for number, url in enumerate(endpoints.metrics):
        say(f"{'' if number else 'Metrics':12}{url}")
    say(f"Gateways    {', '.join(endpoints.gateways)}")
    say("")
    say(click.style(WARNING, fg="yellow", bold=True))


def _settings(server: DevServer) -> Iterator[str]:
    """Each variable once; with the children's names where they differ."""
    found: dict[str, dict[str, list[str]]] = {}
    for child in server.plan.children:
        for part in _parts_of(child.name):
            for variable, value in _values(part, child.environment):
                found.setdefault(variable, {}).setdefault(value, []).append(child.name)
    width = max(map(len, found))
    for variable, by_value in sorted(found.items()):
        for number, (value, names) in enumerate(by_value.items()):
            whose = f"  ({', '.join(names)})" if len(by_value) > 1 else ""
            yield f"{'' if number else variable:{width}}  {value}{whose}"


def _parts_of(child: str) -> tuple[type[SettingsPart], ...]:
    """What the process reads, as its bootstrap declares."""
    role = child.partition("-")[0]
    if role == "storage":
        return (StorageSettings,)
    settings = {"gateway": GatewaySettings, "worker": WorkerSettings}.get(role)
    return tuple(get_type_hints(settings).values()) if settings else ()


def _values(part: type[SettingsPart], environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for variable, field in variables_of(part).items():
        value = environment.get(variable, field.get_default(call_default_factory=True))
        if not value and value != 0:
            yield variable, "(not set)"
        else:
            yield variable, "(set)" if _holds_secret(field.annotation) else without_password(str(value))


def without_password(text: str) -> str:
    """The text; if it is a URL with a password, without that."""
    return re.sub(r"(://[^/@\s:]*:)[^@\s]*@", r"\1***@", text)


def _holds_secret(annotation: object) -> bool:
    """Whether a secret is somewhere in values of this type, also in the fields of a model within."""
    if annotation is SecretStr:
        return True
    inner = [*get_args(annotation)]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inner += get_type_hints(annotation).values()
    return any(map(_holds_secret, inner))
